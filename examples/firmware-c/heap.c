/* Says at the end how much of the heap was in use at most: linked into `make measured` alone, around malloc and its kin. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static size_t in_use, most;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *memory);

static void *count(void *memory) {
  in_use += malloc_usable_size(memory);
  if (in_use > most) most = in_use;
  return memory;
}

void *__wrap_malloc(size_t size) { return count(__real_malloc(size)); }

void *__wrap_calloc(size_t number, size_t size) { return count(__real_calloc(number, size)); }

void __wrap_free(void *memory) {
  in_use -= malloc_usable_size(memory);
  __real_free(memory);
}

static void say(void) __attribute__((destructor));
static void say(void) { fprintf(stderr, "heap: %zu octets at most, %zu at the end\n", most, in_use); }
