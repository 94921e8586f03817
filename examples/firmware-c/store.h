/*
 * What a device keeps on flash, in files of mode 0600:
 *   anchors.pem   the roots that it has learned, see anchors.h
 *   pending.pem   a key that no certificate came for yet, so that a retry asks for the same key
 *   staged.pem    a renewed identity that nobody has connected with
 *   identity.pem  the one in use: when it was obtained, key, certificate, CA
 * Each is replaced by one rename(2): a power cut leaves the file before or the file after, never a part, and never
 * the key of one generation with the certificate of another.
 */
#ifndef STORE_H
#define STORE_H

#include "device.h"

#define STORE_ANCHORS "anchors.pem"
#define STORE_PENDING "pending.pem"
#define STORE_STAGED "staged.pem"
#define STORE_IDENTITY "identity.pem"

/* Reads a file into `identity`; FAILED_IDENTITY, without a word, where there is none. When it was obtained has been. */
int store_load(struct device *device, const char *file, struct identity *identity);

/* Writes it, key and all. */
int store_save(struct device *device, const char *file, struct identity *identity);

/* The same for certificates without a key, behind a line that they are known by: FAILED_IDENTITY where it is another. */
int store_load_certificates(struct device *device, const char *file, const char *line, mbedtls_x509_crt *certificates);
int store_save_certificates(struct device *device, const char *file, const char *line, mbedtls_x509_crt *certificates);

/* Renames `from` to `to`: the moment at which a renewal happens. */
int store_promote(const struct device *device, const char *from, const char *to);

/* Removes a file, if it is there. */
void store_remove(const struct device *device, const char *file);

#endif
