#include "tape/wide.h"

bool wide_is_off;
