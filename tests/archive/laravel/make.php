<?php
// As spatie/laravel-backup 9 does: Zip::add() opens, addFile()s or addEmptyDir()s, sets the compression; EncryptBackupArchive sets the encryption of every index afterwards.
chdir($argv[1]); $target=$argv[2]; $password=$argv[3] ?? null; @unlink($target);
$zip = new ZipArchive(); $zip->open($target, ZipArchive::CREATE);
$it=new RecursiveIteratorIterator(new RecursiveDirectoryIterator('.', FilesystemIterator::SKIP_DOTS), RecursiveIteratorIterator::SELF_FIRST);
$files=[]; foreach ($it as $f) $files[]=$f->getPathname(); sort($files);
foreach ($files as $f) { $name=substr($f,1); if (is_dir($f)) { if (count(scandir($f))==2) $zip->addEmptyDir($name); } else { $zip->addFile($f, $name); $zip->setCompressionName($name, ZipArchive::CM_DEFAULT, 9);} }
$zip->close();
if ($password) { $zip=new ZipArchive(); $zip->open($target); $zip->setPassword($password); foreach (range(0,$zip->numFiles-1) as $i) $zip->setEncryptionIndex($i, ZipArchive::EM_AES_256); $zip->close(); }
