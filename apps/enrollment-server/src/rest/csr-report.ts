import { csrFieldDecisions } from '@fleetroot/pki'
import { z } from 'zod'

/** What became of each field of a CSR: in the answer that a CSR gets, and in the problem. */
export const csrReport = z
  .object({
    fields: z.array(
      z.object({
        field: z.string().meta({
          description:
            '`subject`, `publicKey`, `challengePassword`, `estIdentityLinking`, the name of an extension (`subjectAltName`, `keyUsage`, …), `extension` or `attribute` and an object identifier, or `csr` where it cannot be read',
        }),
        decision: z.enum(csrFieldDecisions).meta({
          description:
            '`taken`: it is in the certificate; `overridden`: the certificate has something else there, or nothing; `refused`: it may not be asked for',
        }),
        reason: z.string().optional(),
      }),
    ),
  })
  .meta({ description: 'What became of each field of the CSR' })
