import manifest from '../../package.json' with { type: 'json' }

/** Version of Fleetroot. */
export const fleetrootVersion = manifest.version

/** What a run was made with. */
export const versions = {
  fleetroot: manifest.version,
  node: process.versions.node,
  openssl: process.versions.openssl,
}
