import type { DatabaseSync } from 'node:sqlite'
import { RegistryError } from './registry-error.ts'

/**
 * The schema, one step per version. A step that has been released is never edited: a change is a new step.
 * Times are milliseconds since 1970; a public key is the SHA-256 of its SPKI in hex.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE devices (
    id          TEXT PRIMARY KEY,
    profile     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('registered', 'enrolled', 'active', 'suspended', 'retired')),
    dns         TEXT NOT NULL,
    ip          TEXT NOT NULL,
    labels      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    certificate TEXT,
    not_after   INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX devices_by_state ON devices (state, id);

  CREATE TABLE tokens (
    hash        TEXT PRIMARY KEY,
    device_id   TEXT NOT NULL REFERENCES devices (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    public_key  TEXT,
    certificate TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE certificates (
    serial      TEXT NOT NULL UNIQUE,
    device_id   TEXT NOT NULL REFERENCES devices (id),
    profile     TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    public_key  TEXT NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('issued', 'active', 'superseded', 'revoked')),
    issued_at   INTEGER NOT NULL,
    der         BLOB NOT NULL
  ) STRICT;
  CREATE INDEX certificates_by_key ON certificates (public_key, device_id);
  CREATE INDEX certificates_by_device ON certificates (device_id, issued_at);
  `,
  // A row of revocations stays when a hold is taken off (reason NULL), so that a delta CRL can say so. The newest
  // row of events is never deleted: the next id is the largest plus one. The hash of an audit record covers the
  // record before it.
  `
  ALTER TABLE devices ADD COLUMN suspended_from TEXT;

  CREATE TABLE revocations (
    serial     TEXT PRIMARY KEY REFERENCES certificates (serial),
    issuer     TEXT NOT NULL,
    reason     TEXT,
    revoked_at INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    event      INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX revocations_by_event ON revocations (issuer, event);

  CREATE TABLE crls (
    issuer          TEXT PRIMARY KEY,
    number          INTEGER NOT NULL,
    published_at    INTEGER NOT NULL,
    published_event INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (
    id           INTEGER PRIMARY KEY,
    type         TEXT NOT NULL,
    at           INTEGER NOT NULL,
    device_id    TEXT NOT NULL,
    certificates TEXT NOT NULL
  ) STRICT;

  CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    record TEXT NOT NULL,
    hash   TEXT NOT NULL
  ) STRICT;
  `,
  // A claim is an identity of the inventory, so that its certificate is revoked, held and listed as every other.
  `
  ALTER TABLE devices ADD COLUMN batch TEXT;

  CREATE TABLE claims (
    id         TEXT PRIMARY KEY REFERENCES devices (id),
    batch      TEXT NOT NULL,
    quota      INTEGER NOT NULL,
    used       INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE claim_uses (
    device_id   TEXT PRIMARY KEY REFERENCES devices (id),
    claim       TEXT NOT NULL REFERENCES claims (id),
    used_at     INTEGER NOT NULL,
    public_key  TEXT NOT NULL,
    certificate TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claim_uses_by_claim ON claim_uses (claim);
  `,
  // Which changes of ca/authorities.json are in the audit and the events.
  `
  CREATE TABLE authority_changes (
    revision INTEGER PRIMARY KEY,
    event    INTEGER NOT NULL
  ) STRICT;
  `,
  // Which certificate another one replaces, until it has connected. The broker has a profile of its own.
  `
  ALTER TABLE certificates ADD COLUMN superseded_by TEXT;

  CREATE TABLE successions (
    serial      TEXT PRIMARY KEY REFERENCES certificates (serial),
    predecessor TEXT NOT NULL REFERENCES certificates (serial),
    issued_at   INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    is_overdue  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX successions_by_time ON successions (is_overdue, issued_at);
  CREATE INDEX successions_by_end ON successions (is_overdue, not_after);

  UPDATE devices SET profile = 'broker' WHERE id = 'broker' AND profile = 'service';
  `,
  // What a manufacturer calls a device. Who asks without a credential, and what an operator has said to that.
  `
  ALTER TABLE devices ADD COLUMN manufacturer TEXT;
  ALTER TABLE devices ADD COLUMN manufacturer_serial TEXT;
  CREATE UNIQUE INDEX devices_by_manufacturer ON devices (manufacturer, manufacturer_serial)
    WHERE manufacturer IS NOT NULL;

  CREATE TABLE approvals (
    public_key  TEXT PRIMARY KEY,
    device_id   TEXT NOT NULL,
    profile     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    address     TEXT NOT NULL,
    asked_at    INTEGER NOT NULL,
    decided_at  INTEGER,
    expires_at  INTEGER NOT NULL,
    certificate TEXT
  ) STRICT, WITHOUT ROWID;
  `,
  // Requests that may be sent twice, with what was answered to the first.
  `
  CREATE TABLE requests (
    id      INTEGER PRIMARY KEY,
    key     TEXT NOT NULL UNIQUE,
    request TEXT NOT NULL,
    answer  TEXT,
    at      INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX requests_by_time ON requests (at);
  `,
]

/** The version that this program writes. */
export const schemaVersion = migrations.length

/**
 * Brings the database to {@link schemaVersion}, one transaction for all steps, so that a kill in the middle
 * leaves the old schema. Safe when several processes start at once.
 * @throws {RegistryError} `registry-newer` when a newer program wrote the file
 */
export function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version > schemaVersion) {
      throw new RegistryError(
        'registry-newer',
        `the registry has schema version ${version}, this program knows ${schemaVersion}: start the newer program`,
      )
    }
    for (const step of migrations.slice(version)) database.exec(step)
    database.exec(`PRAGMA user_version = ${schemaVersion}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}
