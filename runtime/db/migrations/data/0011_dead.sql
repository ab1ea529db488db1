-- As nango.outbox (control/0012): webhooks that were given up, newest first.
CREATE INDEX outbox_dead ON nango_data.outbox (environment_id, ready_at, id)
    WHERE state = 'dead';
