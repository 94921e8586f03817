#include "tls.h"

#include "clock.h"
#include "dates.h"
#include "failure.h"
#include "mbedtls3.h"

#include <string.h>

/* A handshake over a slow radio link takes seconds. */
#define HANDSHAKE_TIMEOUT_MS 30000

static int send_octets(void *context, const unsigned char *octets, size_t size) {
  struct tls *tls = context;
  int ret = mbedtls_net_send(&tls->net, octets, size);
  if (ret > 0) tls->sent += (size_t)ret;
  return ret;
}

static int receive_octets(void *context, unsigned char *octets, size_t size, uint32_t timeout_ms) {
  struct tls *tls = context;
  int ret = mbedtls_net_recv_timeout(&tls->net, octets, size, timeout_ms);
  if (ret > 0) tls->received += (size_t)ret;
  return ret;
}

/*
 * While the clock is not set no date is held against a certificate; whoever connects then must look at valid_from and valid_to
 * when it is.
 */
static int judge_dates(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags) {
  struct tls *tls = context;
  time_t from = dates_seconds(&certificate->valid_from);
  time_t to = dates_seconds(&certificate->valid_to);
  if (from > tls->valid_from) tls->valid_from = from;
  if (to < tls->valid_to) tls->valid_to = to;
  dates_judge(tls->device, certificate, depth, flags);
  if (!clock_is_set(tls->device)) *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  return 0;
}

/* The host name alone is not enough: any service may have a certificate for it. [6] is a URI (RFC 5280, section 4.2.1.6). */
static int has_identity(const mbedtls_x509_crt *certificate, const char *identity) {
  const mbedtls_x509_sequence *name = &certificate->subject_alt_names;
  for (; name != NULL && name->buf.p != NULL; name = name->next) {
    if (name->buf.tag != (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6)) continue;
    if (name->buf.len == strlen(identity) && memcmp(name->buf.p, identity, name->buf.len) == 0) return 1;
  }
  return 0;
}

static int explain_handshake(const struct tls *tls, int ret, const struct endpoint *server) {
  uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
  char reasons[256];
  if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    mbedtls_x509_crt_verify_info(reasons, sizeof reasons, "", flags);
    reasons[strcspn(reasons, "\n")] = '\0';
    return fail(FAILED_TRUST, "%s:%s is not trusted: %s", server->host, server->port, reasons);
  }
  /* An alert is the server's word on our certificate, or on our way of speaking TLS: trying again changes nothing. */
  if (ret == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    return fail(FAILED_REFUSED, "%s:%s refused the TLS handshake, most likely our certificate", server->host, server->port);
  /* So does a broker end it with a certificate that was revoked. */
  if (ret == MBEDTLS_ERR_SSL_CONN_EOF || ret == MBEDTLS_ERR_NET_CONN_RESET)
    return fail(FAILED_NETWORK, "%s:%s closed the connection in the handshake; if that lasts, renew says more", server->host,
                server->port);
  return fail_mbedtls(FAILED_NETWORK, ret, "TLS handshake");
}

static int configure(struct tls *tls, struct device *device, struct identity *own) {
  mbedtls_ssl_config *config = &tls->config;
  int ret = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);
  if (ret != 0) return ret;
  tls12_only(config);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(config, &device->roots, NULL);
  mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &device->random);
  mbedtls_ssl_conf_verify(config, judge_dates, tls);
  mbedtls_ssl_conf_read_timeout(config, HANDSHAKE_TIMEOUT_MS);
  /* So that a board may have an input buffer of 4 KB (RFC 6066, section 4). Not less: mbedTLS 2 takes no handshake message in parts. */
  ret = mbedtls_ssl_conf_max_frag_len(config, MBEDTLS_SSL_MAX_FRAG_LEN_4096);
  if (ret != 0) return ret;
  return own == NULL ? 0 : mbedtls_ssl_conf_own_cert(config, &own->chain, &own->key);
}

int tls_connect(struct tls *tls, struct device *device, const struct endpoint *server, struct identity *own) {
  memset(tls, 0, sizeof *tls);
  tls->device = device;
  tls->valid_to = clock_seconds(9999, 12, 31, 23, 59, 59);
  mbedtls_net_init(&tls->net);
  mbedtls_ssl_config_init(&tls->config);
  mbedtls_ssl_init(&tls->ssl);

  int ret = configure(tls, device, own);
  if (ret == 0) ret = mbedtls_ssl_setup(&tls->ssl, &tls->config);
  if (ret == 0) ret = mbedtls_ssl_set_hostname(&tls->ssl, server->host);
  if (ret != 0) return fail_mbedtls(FAILED_CRYPTO, ret, "TLS set-up");
  mbedtls_ssl_set_bio(&tls->ssl, tls, send_octets, NULL, receive_octets);

  ret = mbedtls_net_connect(&tls->net, server->host, server->port, MBEDTLS_NET_PROTO_TCP);
  if (ret != 0) return fail(FAILED_NETWORK, "cannot connect to %s:%s", server->host, server->port);
  do ret = mbedtls_ssl_handshake(&tls->ssl);
  while (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE);
  if (ret != 0) return explain_handshake(tls, ret, server);
  const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&tls->ssl);
  if (peer == NULL || !has_identity(peer, server->identity))
    return fail(FAILED_TRUST, "%s:%s does not have the identity %s", server->host, server->port, server->identity);
  return DONE;
}

int tls_write(struct tls *tls, const void *octets, size_t size) {
  const unsigned char *next = octets;
  while (size > 0) {
    int ret = mbedtls_ssl_write(&tls->ssl, next, size);
    if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE) continue;
    if (ret <= 0) return fail_mbedtls(FAILED_NETWORK, ret, "cannot send");
    next += ret;
    size -= (size_t)ret;
  }
  return DONE;
}

int tls_read(struct tls *tls, void *octets, size_t size, unsigned timeout_ms) {
  int ret;
  mbedtls_ssl_conf_read_timeout(&tls->config, timeout_ms);
  do ret = mbedtls_ssl_read(&tls->ssl, octets, size);
  while (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE);
  return ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : ret;
}

void tls_close(struct tls *tls) {
  if (tls->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER) mbedtls_ssl_close_notify(&tls->ssl);
  mbedtls_net_free(&tls->net);
  mbedtls_ssl_free(&tls->ssl);
  mbedtls_ssl_config_free(&tls->config);
}
