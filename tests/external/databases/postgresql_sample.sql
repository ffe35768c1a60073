-- A database with what bites: types, names, objects that depend on each other.
CREATE SCHEMA "Odd ""Schema""";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE SEQUENCE tickets START 1000 INCREMENT 7;

CREATE TABLE everything (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raw bytea, document jsonb, loose json, grid int[][], words text[], line text,
    moment timestamptz, span interval, amount numeric(30, 10), real8 double precision,
    address inet, feeling mood, share percent, key uuid, period int4range, bits bit varying(20),
    ticket bigint DEFAULT nextval('tickets'),
    twice bigint GENERATED ALWAYS AS (id * 2) STORED
);
INSERT INTO everything (raw, document, loose, grid, words, line, moment, span, amount, real8,
    address, feeling, share, key, period, bits)
SELECT
    decode(md5(i::text) || '00ff0d0a5c27', 'hex'),
    jsonb_build_object('n', i, 'text', E'tab\t"quote"\\ é 漢字 🎉', 'nothing', NULL),
    '{"b": 1,   "a": [1, 2, {"c": "\u00e9"}]}',
    ARRAY[[i, 2], [3, NULL]], ARRAY['a,b', 'c"d', '', NULL, '{}'],
    CASE i % 4 WHEN 0 THEN E'line\nbreak\r\n\\. \\N' WHEN 1 THEN '' WHEN 2 THEN NULL
        ELSE 'ordinary text that fills some space in the row number ' || i END,
    timestamptz '2026-03-29 01:59:59.999999+01' + i * interval '1 minute',
    i * interval '1 day 00:00:01', i / 7.0, CASE i % 5 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity'
        ELSE sqrt(i) END, '2001:db8::/32', 'it''s "fine"', i % 101, md5(i::text)::uuid,
    int4range(i, i + 10), B'10110'
FROM generate_series(1, 160000) i;

CREATE TABLE "Odd ""Schema"""."a.b $c 'd' é
e" ("select" int, "with ""quotes""" text);
INSERT INTO "Odd ""Schema"""."a.b $c 'd' é
e" SELECT i, 'x' FROM generate_series(1, 1000) i;

CREATE TABLE visits (day date NOT NULL, page text) PARTITION BY RANGE (day);
CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO visits SELECT date '2025-01-01' + i % 700, 'page ' || i FROM generate_series(1, 39000) i;

CREATE TABLE parent (id int PRIMARY KEY, next int REFERENCES parent DEFERRABLE);
INSERT INTO parent SELECT i, NULL FROM generate_series(1, 100) i;
UPDATE parent SET next = 101 - id;
CREATE INDEX ON everything USING gin (document);

CREATE VIEW totals AS SELECT feeling, count(*) AS n FROM everything GROUP BY feeling;
CREATE MATERIALIZED VIEW pages AS SELECT page, count(*) AS n FROM visits GROUP BY page;
CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $body$ BEGIN INSERT INTO audit VALUES ('changed; $1'); RETURN NEW; END $body$;
CREATE TRIGGER noted AFTER UPDATE ON parent FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE PROCEDURE forget() LANGUAGE sql AS $$ DELETE FROM audit $$;
SELECT lo_from_bytea(4242, decode(repeat('00ff10', 100000), 'hex'));

CREATE TABLE journal (seq bigint PRIMARY KEY, amount int NOT NULL);
CREATE TABLE balance (n bigint NOT NULL, total bigint NOT NULL);
INSERT INTO balance VALUES (0, 0);
CREATE PROCEDURE trade(pause double precision) LANGUAGE plpgsql AS $$
DECLARE i bigint := 0;
BEGIN
    LOOP
        i := i + 1;
        INSERT INTO journal VALUES (i, i % 97);
        UPDATE balance SET n = n + 1, total = total + i % 97;
        COMMIT;
        PERFORM pg_sleep(pause);
    END LOOP;
END $$;
ANALYZE;
