#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/standard.h"
#include "recorder/recorder.h"

static int fail(const struct tdk_err *err, int exit_code)
{
    fprintf(stderr, "tapedeck-recorder: %s\n", err->text);
    return exit_code;
}

/* --help and --version: 0, unless they could not be told. */
static int answered(void)
{
    struct tdk_err err;
    int rc = standard_flush();
    if (rc == 0)
        return 0;
    err_set(&err, rc, "write to stdout");
    return fail(&err, 1);
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
        return rc < 0 ? fail(&err, 2) : answered();
    }
    int exit_code = 1;
    if (recorder_open(&recorder, &config, &err) < 0)
        fail(&err, 1);
    else
        exit_code = recorder_close(&recorder, recorder_run(&recorder));
    config_close(&config);
    return exit_code;
}
