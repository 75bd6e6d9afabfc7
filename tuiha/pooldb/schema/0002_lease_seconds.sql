-- How long a lease lasts is its server's setting: whoever waits for its end has to know, also when the server is silent.
ALTER TABLE lease ADD COLUMN seconds double precision;
COMMENT ON COLUMN lease.seconds IS 'How long it lasts after its renewal; null: the server is of a version that does not say';
