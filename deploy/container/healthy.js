// Ends with 0 when /readyz of the operations listener on this port says ready, otherwise with 1 and the reasons.
const response = await fetch(`http://127.0.0.1:${process.argv[2]}/readyz`)
if (!response.ok) {
  process.stderr.write(`${await response.text()}\n`)
  process.exitCode = 1
}
