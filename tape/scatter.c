#include "tape/scatter.h"

#include <sys/random.h>

#include "base/clock.h"

void scatter_init(struct scatter *scatter)
{
    if (getrandom(scatter, sizeof *scatter, 0) != (ssize_t)sizeof *scatter)
        *scatter = (struct scatter){clock_wall(), clock_mono() * UINT64_C(0x9e3779b97f4a7c15)};
    scatter->factor |= 1;
}
