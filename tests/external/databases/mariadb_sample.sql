-- A database with what bites: types, names, objects that depend on each other.
SET NAMES utf8mb4;
SET sql_mode = 'NO_BACKSLASH_ESCAPES';
CREATE SEQUENCE tickets START WITH 1000 INCREMENT BY 7;
DO NEXTVAL(tickets);
CREATE TABLE everything (
    id bigint AUTO_INCREMENT PRIMARY KEY,
    raw longblob, short varbinary(40), flags bit(10), document json, line longtext, emoji varchar(50),
    moment datetime(6), stamp timestamp(3) NULL, span time(6), born year, amount decimal(30, 10),
    real8 double, feeling enum('sad', 'ok', 'it''s "fine"'), tags set('a', 'b c'), place point,
    address inet6, code uuid,
    twice bigint AS (id_copy * 2) VIRTUAL, stored bigint AS (id_copy + 1) STORED, id_copy bigint
) DEFAULT CHARSET utf8mb4;
INSERT INTO everything (raw, short, flags, document, line, emoji, moment, stamp, span, born, amount,
    real8, feeling, tags, place, address, code, id_copy)
SELECT UNHEX(CONCAT(MD5(seq), '00FF0D0A5C271A')), UNHEX('005C0027'), b'1000000001',
    JSON_OBJECT('n', seq, 'text', CONCAT('"quote"', CHAR(92), ' é 漢字 🎉')),
    CASE seq % 4 WHEN 0 THEN CONCAT('line', CHAR(10), 'break', CHAR(13, 10), CHAR(92), 'N', CHAR(0), CHAR(26))
        WHEN 1 THEN '' WHEN 2 THEN NULL ELSE CONCAT('ordinary text in row ', seq, '; -- no comment') END,
    '🎉 漢字 é', TIMESTAMPADD(MINUTE, seq, '2026-03-28 01:59:59.999999'), '2026-06-01 12:00:00.123',
    '-12:34:56.789', 2026, seq / 7, SQRT(seq), 'it''s "fine"', 'a,b c', POINT(seq, -seq),
    '2001:db8::1', UUID(), seq
FROM seq_1_to_160000;

CREATE TABLE `a.b $c 'd' "e" ``f`` é` (`select` int, `with ``ticks``` text) DEFAULT CHARSET utf8mb4;
INSERT INTO `a.b $c 'd' "e" ``f`` é` SELECT seq, 'x' FROM seq_1_to_1000;
CREATE TABLE latin (name varchar(20)) DEFAULT CHARSET latin1;
INSERT INTO latin VALUES ('é'), ('ÿ');

CREATE TABLE visits (day date NOT NULL, page varchar(30)) PARTITION BY RANGE (YEAR(day))
    (PARTITION p2025 VALUES LESS THAN (2026), PARTITION p2026 VALUES LESS THAN MAXVALUE);
INSERT INTO visits SELECT DATE_ADD('2025-01-01', INTERVAL seq % 700 DAY), CONCAT('page ', seq) FROM seq_1_to_39000;

CREATE TABLE parent (id int PRIMARY KEY, next int, FOREIGN KEY (next) REFERENCES parent (id));
INSERT INTO parent SELECT seq, NULL FROM seq_1_to_100;
UPDATE parent SET next = 101 - id;

CREATE VIEW totals AS SELECT feeling, COUNT(*) AS n FROM everything GROUP BY feeling;
CREATE TABLE audit (what text);
DELIMITER //
CREATE TRIGGER noted AFTER UPDATE ON parent FOR EACH ROW BEGIN INSERT INTO audit VALUES ('changed; ''x'''); END//
CREATE PROCEDURE forget() BEGIN DELETE FROM audit; END//
CREATE FUNCTION thrice(x int) RETURNS int DETERMINISTIC BEGIN RETURN x * 3; END//
CREATE EVENT sweep ON SCHEDULE EVERY 1 YEAR DO BEGIN DELETE FROM audit; END//
CREATE PROCEDURE trade(pause double) BEGIN
    DECLARE i bigint DEFAULT 0;
    WHILE NOT EXISTS (SELECT 1 FROM control.stop) DO
        SET i = i + 1;
        START TRANSACTION;
        INSERT INTO journal VALUES (i, i % 97);
        UPDATE balance SET n = n + 1, total = total + i % 97;
        COMMIT;
        DO SLEEP(pause);
    END WHILE;
END//
DELIMITER ;
CREATE TABLE journal (seq bigint PRIMARY KEY, amount int NOT NULL);
CREATE TABLE balance (n bigint NOT NULL, total bigint NOT NULL);
INSERT INTO balance VALUES (0, 0);
