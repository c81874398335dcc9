CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    driver TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    subnet TEXT NOT NULL,
    gateway TEXT NOT NULL,
    options TEXT NOT NULL,
    labels TEXT NOT NULL
) STRICT;

CREATE TABLE endpoints (
    id TEXT PRIMARY KEY,
    network_id TEXT NOT NULL REFERENCES networks (id),
    container_id TEXT NOT NULL,
    ipv4 TEXT,
    prefix_length INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    mac_address TEXT NOT NULL,
    is_leaving INTEGER NOT NULL DEFAULT 0,
    UNIQUE (network_id, ipv4)
) STRICT;
CREATE INDEX endpoints_by_container ON endpoints (container_id);

CREATE TABLE published_ports (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    host_ip TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (protocol, host_ip, host_port)
) STRICT;
CREATE INDEX published_ports_by_endpoint ON published_ports (endpoint_id);

CREATE TABLE firewall (
    table_name TEXT PRIMARY KEY,
    wanted TEXT NOT NULL,
    listed TEXT NOT NULL
) STRICT;
