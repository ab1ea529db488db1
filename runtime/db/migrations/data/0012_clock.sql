-- A function in SQL is parsed and planned each time that a statement with it begins; one in PL/pgSQL
-- is once a connection.
CREATE OR REPLACE FUNCTION nango_data.clock_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN clock_timestamp() + (SELECT offset_by FROM nango_data.clock);
END $$;
