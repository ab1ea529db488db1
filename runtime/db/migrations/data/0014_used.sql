-- When a sync was run last that has this checkpoint (nobody knows for those of before): one that finds
-- nothing writes none, and is in use all the same. What is as old as a dataset that is removed goes
-- with it, and no other sync's does.
ALTER TABLE nango_data.checkpoint ADD COLUMN used_at timestamptz;

-- Bad records that did not come again for long are looked for by their age.
CREATE INDEX quarantine_seen ON nango_data.quarantine (last_seen_at);
