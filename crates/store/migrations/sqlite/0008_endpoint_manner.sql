-- What an endpoint speaks, and what of that differs from place to place.
ALTER TABLE endpoints ADD COLUMN dialect TEXT NOT NULL DEFAULT 'openai';
ALTER TABLE endpoints ADD COLUMN api_version TEXT;
ALTER TABLE endpoints ADD COLUMN region TEXT;
