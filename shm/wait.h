/* wait.h - sleeping until the other process has done something, at no cost to it while we do not.
 */
#ifndef TDK_SHM_WAIT_H
#define TDK_SHM_WAIT_H

#include <stdint.h>

/* Let sleepers in other processes fence this one (wait.c). 1 if this kernel can, else 0. */
uint32_t wait_register(void);

#endif
