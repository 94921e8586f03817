/* The certificates of a certs-only PKCS#7 message (RFC 5272, section 4.1), as EST answers with them. */
#ifndef PKCS7_H
#define PKCS7_H

#include <mbedtls/x509_crt.h>
#include <stddef.h>

/* Appends them to `certificates`, which is initialised; 0, or an error of mbedTLS. What is signed is nothing. */
int pkcs7_certificates(const unsigned char *der, size_t size, mbedtls_x509_crt *certificates);

#endif
