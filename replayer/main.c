#include <stdio.h>

#include "base/log.h"
#include "base/standard.h"
#include "replayer/replayer.h"

static int fail(const struct tdk_err *err, int exit_code)
{
    fprintf(stderr, "tapedeck-replayer: %s\n", err->text);
    return exit_code;
}

int main(int argc, char *argv[])
{
    static struct replay_config config;
    static struct replayer replayer;
    struct tdk_err err;

    standard_hold();
    int rc = replay_config_load(&config, argc, argv, &err);
    if (rc != 0) {
        replay_config_close(&config);
        if (rc < 0)
            return fail(&err, 2);
        return standard_flush(&err) < 0 ? fail(&err, 1) : 0; /* --help, --version */
    }
    int exit_code = 1;
    if (replayer_open(&replayer, &config, &err) < 0)
        fail(&err, 1);
    else
        exit_code = replayer_run(&replayer);
    replayer_close(&replayer);
    replay_config_close(&config);
    return exit_code;
}
