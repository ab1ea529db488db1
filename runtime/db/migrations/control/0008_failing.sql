-- A list of connections shows which of their syncs fail: few do, and they are found without a look
-- at every schedule.
CREATE INDEX schedule_failing ON nango.schedule (sync_id) WHERE failures > 0;
