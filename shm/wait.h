/* wait.h - sleep until the other process has done something. That process pays for it only while
 * somebody sleeps. */
#ifndef TDK_SHM_WAIT_H
#define TDK_SHM_WAIT_H

#include <stdint.h>

/* Allow sleepers in other processes to fence this one (wait.c). 1: this kernel can do that; 0. */
uint32_t wait_register(void);

#endif
