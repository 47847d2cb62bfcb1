-- One value a line, each a column of one row that a real server sends.
true
null::bool
32767::int2
(-2147483648)::int4
999999999999999::int8
9223372036854775807::int8
(-9223372036854775808)::int8
4294967295::oid
0.1::numeric(38,20)
(-99999999999999999999999999999999999999)::numeric(38,0)
123.45::numeric(9,2)
(-1234567890123456.78)::numeric(18,2)
123.4500::numeric
'NaN'::numeric
'NaN'::numeric(10,2)
'Infinity'::numeric
'-Infinity'::numeric
repeat('9',1000)::numeric
0.25::float4
0.1::float8 + 0.2::float8
1e300::float8
1.5e-7::float8
'NaN'::float8
'Infinity'::float8
'-Infinity'::float8
''
null::text
E'say "hi",\n\ttab\r and \\ end'
'Zażółć 🙂 <&> _x0041_'
E'\x01\x1f'
'=1+1'
'x'::char(3)
'\x00ff'::bytea
'2026-09-20'::date
'1900-02-28'::date
'0044-03-15 BC'::date
'infinity'::date
'2026-09-20 23:59:59'::timestamp
'2026-09-20 23:59:59.123'::timestamp
'2026-09-20 23:59:59.123456'::timestamp
'294276-12-31 23:59:59'::timestamp
'-infinity'::timestamp
'2026-09-20 23:59:59.5+00'::timestamptz
'0044-03-15 12:00:00+00 BC'::timestamptz
'infinity'::timestamptz
'23:59:59.123'::time
'24:00:00'::time
'23:59:59+02'::timetz
'1 year 2 mons -3 days 04:05:06.789'::interval
'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
'{"a": 1,  "a": 2, "n": 12345678901234567890.10}'::json
E'{"a":\n 1}'::json
'{"a": [1, null]}'::jsonb
'{1,NULL,3}'::int4[]
'{"a,b",NULL,"NULL",""}'::text[]
'12.30'::money
'[1,5)'::int4range
