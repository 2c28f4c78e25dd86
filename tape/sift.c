#include "tape/sift.h"

#include "base/err.h"

static int find_picks(struct sift *sift, struct tdk_tape *tape, const char *name, uint64_t epoch,
                      struct tdk_err *err)
{
    const struct track *track = tape_track(tape, name);
    if (track == NULL)
        return err_say(err, TDK_ENOTRACK, "no track %.64s on this tape", name);
    struct view *view = tape_view(tape);
    struct symbols *symbols = NULL;
    int rc = symbols_read(view, track->ref.number, 0, &symbols, err);
    view_drop(view);
    if (rc == 0)
        rc = select_picks(&sift->select, symbols, &sift->all, err);
    symbols_drop(symbols);
    return rc < 0 ? rc : picks_of_epoch(&sift->here, &sift->select, &sift->all, epoch, err);
}

int sift_open(struct sift *sift, struct tdk_tape *tape, const struct tdk_query *query,
              const char *track, uint64_t epoch, struct tdk_err *err)
{
    *sift = (struct sift){0};
    int rc = select_init(&sift->select, query, err);
    if (rc == 0 && sift->select.by_symbol)
        rc = find_picks(sift, tape, track, epoch, err);
    return rc;
}

void sift_close(struct sift *sift)
{
    picks_close(&sift->all);
    picks_close(&sift->here);
    select_close(&sift->select);
}
