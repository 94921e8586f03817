#include "store.h"

#include "clock.h"
#include "failure.h"
#include "mbedtls3.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A key and three certificates. Too large for the stack of a small board. */
#define FILE_MAX 8192
static char text[FILE_MAX];

static int path_of(const struct device *device, const char *file, char path[512]) {
  int length = snprintf(path, 512, "%s/%s", device->store, file);
  return length < 512 ? DONE : fail(FAILED_STORE, "the path of the store is too long");
}

static int read_file(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) return errno == ENOENT ? FAILED_IDENTITY : fail(FAILED_STORE, "%s: %s", path, strerror(errno));
  ssize_t got = read(file, text, FILE_MAX - 1);
  close(file);
  if (got < 0) return fail(FAILED_STORE, "%s: %s", path, strerror(errno));
  text[got] = '\0';
  return DONE;
}

int store_load(struct device *device, const char *file, struct identity *identity) {
  char path[512];
  int failure = path_of(device, file, path);
  if (failure == DONE) failure = read_file(path);
  if (failure != DONE) return failure;
  size_t size = strlen(text) + 1;
  identity->obtained = strncmp(text, "obtained ", 9) == 0 ? (time_t)strtoll(text + 9, NULL, 10) : 0;
  int ret = key_parse(&identity->key, (unsigned char *)text, size, &device->random);
  if (ret == 0 && strstr(text, "BEGIN CERTIFICATE") != NULL)
    ret = mbedtls_x509_crt_parse(&identity->chain, (unsigned char *)text, size);
  if (ret == 0 && identity->chain.raw.p != NULL)
    ret = key_check_pair(&identity->chain.pk, &identity->key, &device->random);
  mbedtls_platform_zeroize(text, sizeof text);
  if (ret != 0) return fail_mbedtls(FAILED_STORE, ret, path);
  clock_has_been(device, identity->obtained);
  return DONE;
}

/* Appends certificates in PEM to what `text` holds. */
static int write_certificates(const mbedtls_x509_crt *crt) {
  int ret = 0;
  for (; ret == 0 && crt != NULL && crt->raw.p != NULL; crt = crt->next) {
    size_t written, length = strlen(text);
    ret = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", crt->raw.p,
                                   crt->raw.len, (unsigned char *)text + length, FILE_MAX - length, &written);
  }
  return ret == 0 ? DONE : fail_mbedtls(FAILED_STORE, ret, "cannot write the certificates");
}

static int write_identity(struct identity *identity) {
  size_t length = 0;
  if (identity->chain.raw.p != NULL)
    length = (size_t)snprintf(text, FILE_MAX, "obtained %lld\n", (long long)identity->obtained);
  int ret = mbedtls_pk_write_key_pem(&identity->key, (unsigned char *)text + length, FILE_MAX - length);
  return ret == 0 ? write_certificates(&identity->chain) : fail_mbedtls(FAILED_STORE, ret, "cannot write the key");
}

/* The file first, then its name, each down to the flash. */
static int replace_file(const char *folder, const char *path) {
  char temporary[520];
  size_t size = strlen(text);
  snprintf(temporary, sizeof temporary, "%s.new", path);
  int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
  if (file < 0) return fail(FAILED_STORE, "%s: %s", temporary, strerror(errno));
  int written = write(file, text, size) == (ssize_t)size && fsync(file) == 0;
  if (close(file) != 0 || !written || rename(temporary, path) != 0) {
    int failure = fail(FAILED_STORE, "%s: %s", path, strerror(errno));
    unlink(temporary);
    return failure;
  }
  int directory = open(folder, O_RDONLY);
  if (directory < 0 || fsync(directory) != 0) {
    int failure = fail(FAILED_STORE, "%s: %s", folder, strerror(errno));
    if (directory >= 0) close(directory);
    return failure;
  }
  close(directory);
  return DONE;
}

/* Puts `text` there, and forgets it. */
static int save(const struct device *device, const char *file) {
  char path[512];
  int failure = path_of(device, file, path);
  if (failure == DONE && mkdir(device->store, S_IRWXU) != 0 && errno != EEXIST)
    failure = fail(FAILED_STORE, "%s: %s", device->store, strerror(errno));
  if (failure == DONE) failure = replace_file(device->store, path);
  mbedtls_platform_zeroize(text, sizeof text);
  return failure;
}

int store_save(struct device *device, const char *file, struct identity *identity) {
  int failure = write_identity(identity);
  return failure == DONE ? save(device, file) : failure;
}

int store_load_certificates(struct device *device, const char *file, const char *line, mbedtls_x509_crt *certificates) {
  char path[512];
  size_t length = strlen(line);
  int failure = path_of(device, file, path);
  if (failure == DONE) failure = read_file(path);
  if (failure != DONE) return failure;
  if (strncmp(text, line, length) != 0 || text[length] != '\n') return FAILED_IDENTITY;
  int ret = mbedtls_x509_crt_parse(certificates, (unsigned char *)text, strlen(text) + 1);
  return ret == 0 ? DONE : fail_mbedtls(FAILED_STORE, ret, path);
}

int store_save_certificates(struct device *device, const char *file, const char *line, mbedtls_x509_crt *certificates) {
  snprintf(text, FILE_MAX, "%s\n", line);
  int failure = write_certificates(certificates);
  return failure == DONE ? save(device, file) : failure;
}

int store_promote(const struct device *device, const char *from, const char *to) {
  char old_path[512], new_path[512];
  int failure = path_of(device, from, old_path);
  if (failure == DONE) failure = path_of(device, to, new_path);
  if (failure == DONE && rename(old_path, new_path) != 0) failure = fail(FAILED_STORE, "%s: %s", new_path, strerror(errno));
  return failure;
}

void store_remove(const struct device *device, const char *file) {
  char path[512];
  if (path_of(device, file, path) == DONE) unlink(path);
}
