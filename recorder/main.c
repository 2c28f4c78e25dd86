#include <stdio.h>

#include "base/log.h"
#include "base/standard.h"
#include "recorder/recorder.h"

static int fail(const struct tdk_err *err, int exit_code)
{
    fprintf(stderr, "tapedeck-recorder: %s\n", err->text);
    return exit_code;
}

int main(int argc, char *argv[])
{
    static struct config config;
    static struct recorder recorder;
    struct tdk_err err;

    standard_hold();
    int rc = config_load(&config, argc, argv, &err);
    if (rc != 0) {
        config_close(&config);
        if (rc < 0)
            return fail(&err, 2);
        return standard_flush(&err) < 0 ? fail(&err, 1) : 0; /* --help or --version */
    }
    int exit_code = 1;
    if (recorder_open(&recorder, &config, &err) < 0)
        fail(&err, 1);
    else
        exit_code = recorder_close(&recorder, recorder_run(&recorder));
    config_close(&config);
    return exit_code;
}
