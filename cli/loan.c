#include "cli/loan.h"

#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/attach.h"
#include "cli/command.h"
#include "cli/interrupt.h"

#define AGAIN_NS   (500 * NS_PER_MS)
#define POLL_NS    (20 * NS_PER_MS)
#define TIMEOUT_NS (10 * NS_PER_S) /* to wait for the recorder's answer */

static int lend(struct loan *loan, struct tdk_err *err)
{
    const struct tdk_client_options options = {.name = "tapedeck", .timeout_ns = TIMEOUT_NS};
    int rc = tdk_client_open(&loan->client, loan->address, &options, err);
    if (rc < 0)
        return rc;
    rc = tdk_client_lend(loan->client, loan->name, NULL, tdk_ring_file(loan->ring), err);
    if (rc < 0)
        loan_close(loan);
    return rc;
}

/* Is this an error that may pass: nobody is there yet, or the recorder still has the ring that the
 * feed before us lent? */
static bool may_pass(int rc)
{
    return rc == -ENOENT || rc == -ECONNREFUSED || rc == -ECONNRESET || rc == -EPIPE ||
           rc == -EEXIST;
}

int loan_open(struct loan *loan, const struct tdk_ring *ring, const char *name, const char *address,
              uint64_t wait_ns, struct tdk_err *err)
{
    uint64_t begin_ns = clock_mono();
    *loan = (struct loan){.address = address, .name = name, .ring = ring};
    for (;;) {
        int rc = lend(loan, err);
        if (rc == 0 || !may_pass(rc) || clock_mono() - begin_ns >= wait_ns)
            return rc;
        if (interrupted())
            return err_say(err, -ECANCELED, "interrupted while waiting for %s", address);
        attach_sleep(POLL_NS);
    }
}

void loan_tend(struct loan *loan)
{
    struct tdk_err err;
    uint64_t now_ns = clock_mono();
    if (loan->address == NULL || now_ns - loan->asked_ns < AGAIN_NS)
        return;
    loan->asked_ns = now_ns;
    if (loan->client != NULL && tdk_client_is_open(loan->client))
        return;
    if (loan->client != NULL) {
        cli_warn("%s closed the connection; ring %s waits for the next recorder there",
                 loan->address, loan->name);
        loan_close(loan);
    }
    if (lend(loan, &err) == 0)
        cli_note("ring %s is lent to %s again", loan->name, loan->address);
}

bool loan_settle(struct loan *loan)
{
    struct tdk_ring_info info;
    for (;;) {
        tdk_ring_info(loan->ring, &info);
        if (info.fill == 0 || interrupted())
            return info.fill == 0;
        loan_tend(loan);
        attach_sleep(POLL_NS);
    }
}

void loan_close(struct loan *loan)
{
    tdk_client_close(loan->client);
    loan->client = NULL;
}
