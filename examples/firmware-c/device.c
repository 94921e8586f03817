#include "device.h"

#include "clock.h"
#include "failure.h"

#include <string.h>

void identity_init(struct identity *identity) {
  mbedtls_pk_init(&identity->key);
  mbedtls_x509_crt_init(&identity->chain);
  identity->obtained = 0;
}

void identity_free(struct identity *identity) {
  mbedtls_pk_free(&identity->key); /* overwrites the key, too */
  mbedtls_x509_crt_free(&identity->chain);
}

int device_init(struct device *device) {
  clock_has_been(device, 0);
  mbedtls_x509_crt_init(&device->roots);
  mbedtls_entropy_init(&device->entropy);
  mbedtls_ctr_drbg_init(&device->random);
  int ret = mbedtls_ctr_drbg_seed(&device->random, mbedtls_entropy_func, &device->entropy,
                                  (const unsigned char *)device->id, strlen(device->id));
  return ret == 0 ? DONE : fail_mbedtls(FAILED_CRYPTO, ret, "no randomness");
}

void device_free(struct device *device) {
  mbedtls_x509_crt_free(&device->roots);
  mbedtls_ctr_drbg_free(&device->random);
  mbedtls_entropy_free(&device->entropy);
}
