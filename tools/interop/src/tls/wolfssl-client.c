/*
 * A relay over TLS by wolfSSL: `wolfssl-client VERSION HOST PORT ROOT CHAIN KEY` shows its certificate, checks the server's chain and
 * name, says `- Description: VERSION` as gnutls-cli does, and carries stdin there and what comes back to stdout, until the
 * server closes.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(const char *host, const char *port) {
  struct addrinfo hints, *found, *address;
  int connection = -1;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
  for (address = found; address != NULL && connection < 0; address = address->ai_next) {
    connection = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (connection >= 0 && connect(connection, address->ai_addr, address->ai_addrlen) != 0) {
      close(connection);
      connection = -1;
    }
  }
  freeaddrinfo(found);
  return connection;
}

static int relay(WOLFSSL *ssl, int connection) {
  unsigned char octets[4096];
  int reads_stdin = 1;
  for (;;) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(connection, &readable);
    if (reads_stdin) FD_SET(STDIN_FILENO, &readable);
    if (wolfSSL_pending(ssl) == 0 && select(connection + 1, &readable, NULL, NULL, NULL) < 0) return 1;
    if (reads_stdin && FD_ISSET(STDIN_FILENO, &readable)) {
      ssize_t got = read(STDIN_FILENO, octets, sizeof octets);
      if (got <= 0) reads_stdin = 0;
      else if (wolfSSL_write(ssl, octets, (int)got) != (int)got) return 1;
    }
    if (wolfSSL_pending(ssl) > 0 || FD_ISSET(connection, &readable)) {
      int got = wolfSSL_read(ssl, octets, sizeof octets);
      if (got <= 0) return wolfSSL_get_error(ssl, got) == WOLFSSL_ERROR_ZERO_RETURN ? 0 : 1;
      fwrite(octets, 1, (size_t)got, stdout);
      fflush(stdout);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  wolfSSL_Init();
  WOLFSSL_CTX *context =
      wolfSSL_CTX_new(strcmp(argv[1], "TLSv1.3") == 0 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
  if (context == NULL || wolfSSL_CTX_load_verify_locations(context, argv[4], NULL) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_use_certificate_chain_file(context, argv[5]) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_use_PrivateKey_file(context, argv[6], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) {
    fprintf(stderr, "cannot use the files\n");
    return 2;
  }
  wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
  int connection = dial(argv[2], argv[3]);
  WOLFSSL *ssl = wolfSSL_new(context);
  if (connection < 0 || ssl == NULL || wolfSSL_set_fd(ssl, connection) != WOLFSSL_SUCCESS) return 2;
  wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, argv[2], (unsigned short)strlen(argv[2]));
  wolfSSL_check_domain_name(ssl, argv[2]);
  int ret = wolfSSL_connect(ssl);
  if (ret != WOLFSSL_SUCCESS) {
    char words[80];
    fprintf(stderr, "handshake: %s\n", wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, ret), words));
    return 1;
  }
  printf("- Description: %s\n", wolfSSL_get_version(ssl));
  fflush(stdout);
  int status = relay(ssl, connection);
  wolfSSL_free(ssl);
  close(connection);
  wolfSSL_CTX_free(context);
  wolfSSL_Cleanup();
  return status;
}
