-- A plan without sequential scans has a forbidding cost wherever a table is small, and Postgres
-- compiles what is dear (jit is on where an operator has not turned it off): 0.7 s for each page.
ALTER FUNCTION nango_data.write_page SET jit = off;
ALTER FUNCTION nango_data.feed_place SET jit = off;
