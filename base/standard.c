#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

/* Open it the wrong way round, so that using it is an error, as if it were closed. */
static int hold(int fd)
{
    return open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void standard_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && hold(fd) != fd)
            _exit(EXIT_FAILURE); /* there is nowhere to say so */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* What was too large for the stream's buffer was written earlier. The stream remembers if that
 * failed; errno still has the reason if nothing has changed it since. */
int standard_flush(struct tdk_err *err)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return 0;
    return err_set(err, errno != 0 ? -errno : -EIO, "write to stdout");
}
