import { describe, expect, it } from 'vitest'
import { fromPem } from '../pem.ts'
import { parseCsr } from './parse.ts'

// openssl 3.0 req -new, with the attribute challengePassword and the extension subjectAltName=DNS:pump-7.
describe('a CSR from openssl', () => {
  it.each([
    [
      'MIICkTCCAXkCAQAwETEPMA0GA1UEAwwGcHVtcC03MIIBIjANBgkqhkiG9w0BAQEF',
      'AAOCAQ8AMIIBCgKCAQEAw29NhTWud5Cp5XxEsCZ8lKwF0fi1y6ccAF3GEkgYj0aw',
      'UiJrgw76VgWP0rYPoIiSkqrZ/6BLCiXQJWLlB546cYT09otA6uPZffsMx6roZSen',
      'bwCLWduFbl0tmy2zkEIkxja565ocAdTNLVAeKfo1c2YAr+4YOtxYzmhh9HsZjrNF',
      'hvQOdC5naCSC2ERPCZfGNlEXgckLQiFt0mXsoczTUPROjqy+1lrMHOoednU6jxRh',
      'Gql7EUy3FzihFFNH65sc5xL1W+h9BTfFCgzivNjuHCr0Kj7k7dk+JG9s4pirp8bv',
      'SshTuaWublgEjbjJy5O8kRDr87i7XrzH22y1VOXoWQIDAQABoDswFQYJKoZIhvcN',
      'AQkHMQgMBnNlY3JldDAiBgkqhkiG9w0BCQ4xFTATMBEGA1UdEQQKMAiCBnB1bXAt',
      'NzANBgkqhkiG9w0BAQsFAAOCAQEAVbG8JkpYVPTUP2EHxsisWv/hdiw5kRq0Wx+2',
      '41JXg7xc05PKgDideYC0kdOx/ZOvM1IOVvTyD6+EBDkLVOqIFpyS0vjUPb5AHyjL',
      'EXMaGRE3TxroTDcSh28mfrkoGYlRDhVIqdkSg1GNawfCx0A75kEFiLqqmNovIcG5',
      'ianPkWiyO03UsU5TOLDldtwC+lio7kqb9HKjPWdJxu2mw4U1jr1z7a++eM+h9xLR',
      'RAuPIbkJR85ZL+WSZD2LH4QXzOR0vdbB2aKthRzP0l7l9XssWwZGbmnZxetaZXUK',
      'CAdawNxBbMMJXNqy2rJy2xypEMguh4JtODQsL4Da5Fc4chW9zw==',
    ].join('\n'),
    [
      'MIIBCDCBrgIBADARMQ8wDQYDVQQDDAZwdW1wLTcwWTATBgcqhkjOPQIBBggqhkjO',
      'PQMBBwNCAATDS+LMwRRP2/kX83hC/XJA3ZpWT6vhXKCAAakaOsIUweD8FIHaMgYM',
      'xgUoukjKS/Cz//wDU26kLrwW7l20/ADJoDswFQYJKoZIhvcNAQkHMQgMBnNlY3Jl',
      'dDAiBgkqhkiG9w0BCQ4xFTATMBEGA1UdEQQKMAiCBnB1bXAtNzAKBggqhkjOPQQD',
      'AgNJADBGAiEAg/FGzs+/bpGCe0CrCMSyCrIII3VndmI6Y8dWtoQqVScCIQDFI3WV',
      'q3sTLqcHuDKWRNHLGLk+bKZC2UB6NyrRq1oO0A==',
    ].join('\n'),
    [
      'MIHLMH8CAQAwETEPMA0GA1UEAwwGcHVtcC03MCowBQYDK2VwAyEAM027KzVJJTU7',
      '3T9e0Q/WH9Wtkj0zEbXe2fYuWg9vdbmgOzAVBgkqhkiG9w0BCQcxCAwGc2VjcmV0',
      'MCIGCSqGSIb3DQEJDjEVMBMwEQYDVR0RBAowCIIGcHVtcC03MAUGAytlcANBAI+C',
      'GHJmjYSW2HtmvC9V8hxgjASQbob95ej+Hu7YLObL9vUZb+IOPGWSlMDtkJyW6dls',
      'lbPejT9JF3aMeEo+gw4=',
    ].join('\n'),
  ])('is parsed: %#', async (body) => {
    const [block] = fromPem(`-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----`)
    if (block === undefined) throw new Error('no block')
    const csr = await parseCsr(block.der)
    expect(csr.commonName).toBe('pump-7')
    expect(csr.subjectAltNames).toEqual([{ type: 'dns', value: 'pump-7' }])
    expect(csr.challengePassword).toBe('secret')
  })
})
