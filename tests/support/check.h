/* check.h - cmocka, and the headers that it needs before it. */
#ifndef TDK_TESTS_CHECK_H
#define TDK_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#endif
