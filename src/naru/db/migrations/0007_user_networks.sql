CREATE TABLE subnets (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    subnet TEXT NOT NULL,
    gateway TEXT NOT NULL,
    ip_range TEXT NOT NULL,
    auxiliary TEXT NOT NULL,
    is_chosen INTEGER NOT NULL,
    shows_gateway INTEGER NOT NULL,
    PRIMARY KEY (network_id, position)
) STRICT;
INSERT INTO subnets SELECT id, 0, subnet, gateway, '', '{}', 0, 1 FROM networks WHERE subnet != '';
ALTER TABLE networks DROP COLUMN subnet;
ALTER TABLE networks DROP COLUMN gateway;
ALTER TABLE networks ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE networks ADD COLUMN is_leaving INTEGER NOT NULL DEFAULT 0;

ALTER TABLE endpoints ADD COLUMN ipv6 TEXT;
ALTER TABLE endpoints ADD COLUMN details TEXT NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX endpoints_by_ipv6 ON endpoints (network_id, ipv6);

CREATE TABLE new_published_ports (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    host_ip TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, protocol, host_ip, host_port, container_port)
) STRICT;
INSERT INTO new_published_ports SELECT * FROM published_ports;
DROP TABLE published_ports;
ALTER TABLE new_published_ports RENAME TO published_ports;
