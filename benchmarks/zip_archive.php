<?php
// What spatie/laravel-backup does with PHP's ZipArchive: add every file at level 9; to encrypt, open
// the finished archive again and set AES-256 on every member, which rewrites it.
[$self, $source, $target] = $argv;
$password = $argv[3] ?? '';
$zip = new ZipArchive();
$zip->open($target, ZipArchive::CREATE | ZipArchive::OVERWRITE);
$files = new RecursiveIteratorIterator(
    new RecursiveDirectoryIterator($source, FilesystemIterator::SKIP_DOTS)
);
foreach ($files as $file) {
    $name = substr($file->getPathname(), strlen($source) + 1);
    $zip->addFile($file->getPathname(), $name);
    $zip->setCompressionName($name, ZipArchive::CM_DEFLATE, 9);
}
$zip->close();
if ($password !== '') {
    $zip->open($target);
    $zip->setPassword($password);
    for ($index = 0; $index < $zip->numFiles; $index++) {
        $zip->setEncryptionIndex($index, ZipArchive::EM_AES_256);
    }
    $zip->close();
}
