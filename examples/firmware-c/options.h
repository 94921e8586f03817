/* What a product has in its flash stands here on the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "device.h"

struct options {
  const char *root;   /* PEM file of trust anchors */
  const char **step;  /* what to do, in this order */
  int steps;
};

/* Reads the command line into `options` and the provisioned half of `device`. */
int options_read(int argc, char **argv, struct options *options, struct device *device);

#endif
