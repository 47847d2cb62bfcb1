-- The sample warehouse of an online school: a small star schema, made by
-- arithmetic alone, so that every run has the same rows. Tables are unlogged:
-- the demo's Postgres is thrown away at the end.

CREATE SCHEMA school;
CREATE SCHEMA pii;

CREATE UNLOGGED TABLE school.dim_date AS
SELECT d AS date_id,
       DATE '2023-01-01' + d AS day,
       extract(year FROM DATE '2023-01-01' + d)::int AS year,
       extract(month FROM DATE '2023-01-01' + d)::int AS month,
       extract(isodow FROM DATE '2023-01-01' + d)::int AS weekday,
       extract(isodow FROM DATE '2023-01-01' + d) >= 6 AS weekend
FROM generate_series(0, 1095) AS d;

CREATE UNLOGGED TABLE school.dim_course AS
SELECT c AS course_id,
       (ARRAY['Algebra','Biology','Chemistry','Drawing','English','French','Geography','History','Music','Physics','Python','Spanish'])[c % 12 + 1]
         || ' ' || (c / 12 + 1) AS title,
       (ARRAY['science','language','art','code'])[c % 4 + 1] AS subject,
       (ARRAY['beginner','middle','advanced'])[c / 12 % 3 + 1] AS level,
       900 + c * 37 % 3200 AS price_cents
FROM generate_series(0, 239) AS c;

CREATE UNLOGGED TABLE school.dim_teacher AS
SELECT t AS teacher_id,
       (ARRAY['Ada','Bruno','Chloe','Deniz','Emil','Farah','Goran','Hana','Ivo','Jana'])[t % 10 + 1] || ' T' || t AS display_name,
       (ARRAY['DE','FR','ES','IT','NL','PL','SE','UK'])[t * 5 % 8 + 1] AS country,
       t * 11 % 240 AS main_course_id,
       DATE '2021-01-01' + t * 13 % 1400 AS joined_on
FROM generate_series(0, 1199) AS t;

CREATE UNLOGGED TABLE school.dim_student AS
SELECT s AS student_id,
       (ARRAY['DE','FR','ES','IT','NL','PL','SE','UK','US','BR'])[s * 7 % 10 + 1] AS country,
       8 + s * 17 % 60 AS age,
       (ARRAY['free','monthly','yearly','family'])[s * 3 % 4 + 1] AS plan,
       DATE '2022-06-01' + s * 31 % 1200 AS signed_up_on
FROM generate_series(0, 49999) AS s;

CREATE UNLOGGED TABLE pii.student_contact AS
SELECT s AS student_id,
       'Student ' || s AS full_name,
       'student' || s || '@example.com' AS email,
       '+49 30 ' || lpad((s * 7919 % 10000000)::text, 7, '0') AS phone
FROM generate_series(0, 49999) AS s;

CREATE UNLOGGED TABLE school.fact_lesson (
  lesson_id   int NOT NULL,
  date_id     int NOT NULL,
  student_id  int NOT NULL,
  teacher_id  int NOT NULL,
  course_id   int NOT NULL,
  minutes     smallint NOT NULL,
  price_cents int NOT NULL,
  rating      smallint,
  completed   boolean NOT NULL
);

-- Ordered by day, as a real load would leave it.
INSERT INTO school.fact_lesson
SELECT i,
       i / 1916,
       (i::bigint * 7919 % 50000)::int,
       (i::bigint * 104729 % 1200)::int,
       (i::bigint * 1299709 % 240)::int,
       25 + i % 4 * 15,
       (900 + i::bigint * 37 % 3200)::int,
       CASE WHEN i % 3 = 0 THEN NULL ELSE 1 + i % 5 END,
       i % 17 <> 0
FROM generate_series(0, 2099935) AS i;

CREATE UNLOGGED TABLE school.fact_enrolment AS
SELECT e AS enrolment_id,
       (e::bigint * 6151 % 50000)::int AS student_id,
       (e::bigint * 3079 % 240)::int AS course_id,
       e % 1096 AS date_id,
       (ARRAY['active','paused','finished','cancelled'])[e % 4 + 1] AS status
FROM generate_series(0, 199999) AS e;

-- What the nightly load fills and empties.
CREATE UNLOGGED TABLE school.stage_lesson (LIKE school.fact_lesson);
INSERT INTO school.stage_lesson SELECT * FROM school.fact_lesson WHERE date_id = 1095;

CREATE INDEX ON school.fact_lesson USING brin (date_id);
CREATE UNIQUE INDEX ON school.dim_student (student_id);
CREATE UNIQUE INDEX ON pii.student_contact (student_id);

CREATE VIEW school.revenue_by_month AS
SELECT d.year, d.month, c.subject,
       count(*) AS lessons,
       sum(l.price_cents) / 100.0 AS revenue
FROM school.fact_lesson AS l
JOIN school.dim_date AS d USING (date_id)
JOIN school.dim_course AS c USING (course_id)
WHERE l.completed
GROUP BY d.year, d.month, c.subject;

CREATE VIEW school.student_card AS
SELECT s.student_id, s.country, s.plan, p.full_name, p.email
FROM school.dim_student AS s
JOIN pii.student_contact AS p USING (student_id);
