/**
 * Flags of a broker that is measured from one address and by a few identities: what is asked is how fast it can be, and
 * its rates answer how fast anybody may be. The guards are there all the same, and so is what they cost.
 */
export const openDoors: string[] = [
  'accept-rate',
  'accept-burst',
  'accept-rate-per-address',
  'accept-burst-per-address',
  'max-handshakes',
  'max-handshakes-per-address',
  'max-connections',
  'connect-rate',
  'connect-burst',
  'message-rate',
  'message-burst',
  'filter-rate',
  'filter-burst',
]
  .map((flag) => `--${flag}=1000000000`)
  .concat('--byte-rate=1000GB', '--byte-burst=1000GB')
