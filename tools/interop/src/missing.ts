import { debianPackages, missingPrograms, packagesFor, type Program } from './programs.ts'

// Prints the Debian packages that the interop suite needs and this machine lacks, for `apt-get install`.
process.stdout.write(packagesFor(missingPrograms(Object.keys(debianPackages) as Program[])).join(' '))
