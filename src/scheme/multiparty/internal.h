/* Inside of multiparty, shared with the parties' side. */
#ifndef GB_MULTIPARTY_INTERNAL_H
#define GB_MULTIPARTY_INTERNAL_H

#include "scheme/multiparty/multiparty.h"

/* The request was made for this joint key and nothing in it was changed since, else ARGUMENT. */
GB_CHECK gb_status gb_request_check(gb_ctx *ctx, const gb_joint *j, const gb_request *q);
/* c is what the request was made for, else HASH. */
GB_CHECK gb_status gb_request_matches(gb_ctx *ctx, const gb_joint *j, const gb_request *q, const gb_ct *c);
/* What a share dealt to `to` carries in place of a request's id. */
void gb_deal_id(gb_hash *out, const gb_joint *j, unsigned to);
/* Answers what the ledger has for this subject. found: appended to out. STATE when it is another request's. */
GB_CHECK gb_status gb_ledger_lookup(gb_buffer *out, gb_ctx *ctx, const gb_ledger *l, const gb_hash *subject,
                                    const gb_hash *request, bool *found);

#endif
