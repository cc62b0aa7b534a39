#include <stdlib.h>
#include <zstd.h>

#include "server/store/log_zstd_private.h"

enum { LEVEL = 1 }; /* level 3 packs log text no tighter and takes half as long again */

struct pb_log_zstd {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

struct pb_log_zstd *pb_log_zstd_new(struct pb_error *err)
{
    struct pb_log_zstd *zstd = calloc(1, sizeof(*zstd));

    if (!zstd)
        pb_fail(err, PB_ERROR_LIMITED, "no memory");
    return zstd;
}

void pb_log_zstd_free(struct pb_log_zstd *zstd)
{
    if (!zstd)
        return;
    (void)ZSTD_freeCCtx(zstd->pack);
    (void)ZSTD_freeDCtx(zstd->unpack);
    free(zstd);
}

static int need_pack(struct pb_log_zstd *zstd, struct pb_error *err)
{
    if (zstd->pack)
        return 0;
    zstd->pack = ZSTD_createCCtx();
    if (!zstd->pack ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->pack, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->pack, ZSTD_c_checksumFlag, 1)))
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to pack a log");
    return 0;
}

int pb_log_zstd_pack(struct pb_log_zstd *zstd, const char *text, size_t len,
                     struct pb_buf *ret_frame, struct pb_error *err)
{
    size_t bound = ZSTD_compressBound(len);
    char *room = pb_buf_reserve(ret_frame, bound);
    size_t packed;

    if (!room)
        return pb_fail(err, PB_ERROR_LIMITED, "no memory to pack a log");
    if (need_pack(zstd, err) < 0)
        return -1;
    packed = ZSTD_compress2(zstd->pack, room, bound, text, len);
    if (ZSTD_isError(packed))
        return pb_fail(err, PB_ERROR_INTERNAL, "packing a log: %s", ZSTD_getErrorName(packed));
    ret_frame->len += packed;
    return 0;
}

bool pb_log_zstd_unpack(struct pb_log_zstd *zstd, const void *frame, size_t frame_len,
                        char *ret_text, size_t len)
{
    size_t got;

    if (!zstd->unpack)
        zstd->unpack = ZSTD_createDCtx();
    if (!zstd->unpack)
        return false;
    got = ZSTD_decompressDCtx(zstd->unpack, ret_text, len, frame, frame_len);
    return !ZSTD_isError(got) && got == len;
}

size_t pb_log_zstd_bound(size_t len)
{
    return ZSTD_compressBound(len);
}
