/*
 * err.h - what failed, as a number for programs and a line for people.
 *
 * A call that can fail returns 0 or a negative code: -errno for what the system refused (the
 * same numbers that libuv uses on Linux), TDK_E... for what only tapedeck can know. A call whose
 * failure an operator will read also takes a `struct tdk_err *`, which may be NULL. On failure it
 * holds the code and one line that says what was being done, on what, and why it failed. On success
 * it is left as it was. Any thread; nothing is allocated.
 */
#ifndef TAPEDECK_ERR_H
#define TAPEDECK_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TDK_API
#define TDK_API __attribute__((visibility("default")))
#endif

enum tdk_code {
    TDK_ECORRUPT = -20001,   /* bytes fail their checksum or contradict themselves */
    TDK_EVERSION = -20002,   /* made by another version of tapedeck or of a format */
    TDK_EFORMAT = -20003,    /* not the format it was taken for */
    TDK_EFOREIGN = -20004,   /* belongs to another tape */
    TDK_ETRUNCATED = -20005, /* ends inside a record */
    TDK_ENAME = -20006,      /* not a name: [A-Za-z0-9][A-Za-z0-9._-]{0,63} */
    TDK_EVALUE = -20007,     /* a value that cannot be read or is out of its range */
    TDK_EBUSY = -20008,      /* held by another process that is alive */
    TDK_ENOTAPE = -20009,    /* a folder that is no tape */
    TDK_ENOTRACK = -20010,   /* no such track */
    TDK_ENORING = -20011,    /* no such ring */
    TDK_ELAPPED = -20012,    /* the producer overtook this tap */
    TDK_EHOSTILE = -20013,   /* shared memory that breaks its own rules */
    TDK_ESTALLED = -20014,   /* a consumer took nothing for too long */
    TDK_EHOLE = -20015,      /* the range is not whole */
    TDK_EFULL = -20016,      /* a limit of ours is reached */
    TDK_EINTERNAL = -20017,  /* a library answered what it never should */
    TDK_EHELLO = -20018,     /* the connection has not said hello, or not as it must */
    TDK_EAWAY = -20019,      /* it was moved to a directory that is not there now */
};

struct tdk_err {
    int code;       /* as returned */
    char text[500]; /* one line, no newline at its end */
};

/* A few words for a code: "no such track", or strerror() for -errno. Static memory, never NULL. */
TDK_API const char *tdk_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
