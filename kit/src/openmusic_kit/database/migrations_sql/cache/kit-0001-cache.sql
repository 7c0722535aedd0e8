CREATE TABLE cache_generation (
    number bigint NOT NULL
);

CREATE UNIQUE INDEX one_cache_generation ON cache_generation ((true));

INSERT INTO cache_generation (number) VALUES (1);
