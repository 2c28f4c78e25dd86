/* A config file. Each line is taken or refused, and reading always comes to an end. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct config config;
    struct config_line line;
    struct tdk_err err;
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    memcpy(text, bytes, size);
    text[size] = '\0';
    config_begin(&config, text);
    int rc;
    while ((rc = config_next(&config, &line, &err)) != 0) {
        assert(rc == 1 || rc == TDK_EVALUE);
        if (rc != 1)
            continue;
        assert(line.number == config.line);
        if (line.key == NULL) {
            assert(line.section != NULL && strchr(line.section, '\n') == NULL);
            continue;
        }
        assert(*line.key != '\0' && strchr(line.key, '\n') == NULL);
        assert(strchr(line.value, '\n') == NULL);
    }
    free(text);
    return 0;
}
