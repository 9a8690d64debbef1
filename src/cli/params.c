/* glovebox params list|show|suggest */
#include "glovebox/params.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void print_json(const gb_params_info *p) {
    cli_json("name", 's', p->name, "scheme", 's', gb_scheme_name(p->scheme), "about", 's', p->about, "log_n", 'u',
             (uint64_t)p->log_n, "security", 'u', (uint64_t)p->security, "log2_q", 'f', p->log2_q, "log2_qp", 'f',
             p->log2_qp, "log2_qp_max", 'f', p->log2_qp_max, "depth", 'u', (uint64_t)p->depth, "bootstrapping", 'b',
             p->refreshes != 0, "slots", 'u', p->slots, "scale_bits", 'f', p->scale_bits, "plain_bits", 'u',
             (uint64_t)p->plain_bits, "precision", 'f', p->precision, "primes", 'u', (uint64_t)p->primes, "specials",
             'u', (uint64_t)p->specials, "digits", 'u', (uint64_t)p->digits, "ciphertext_bytes", 'u',
             p->ciphertext_bytes, "public_key_bytes", 'u', p->public_key_bytes, "switch_key_bytes", 'u',
             p->switch_key_bytes, "switch_key_on_wire", 'u', p->switch_key_on_wire, NULL);
}

static void print_set(const cli *c, const gb_params_info *p) {
    if (c->json) {
        print_json(p);
        return;
    }
    char size[4][32];
    cli_bytes(size[0], p->ciphertext_bytes);
    cli_bytes(size[1], p->public_key_bytes);
    cli_bytes(size[2], p->switch_key_bytes);
    cli_bytes(size[3], p->switch_key_on_wire);
    printf("name        %s (%s): %s\n", p->name, gb_scheme_name(p->scheme), p->about);
    printf("security    %u bits: N = %u, log2(QP) = %.1f, at most %.0f (%s)\n", p->security, 1u << p->log_n, p->log2_qp,
           p->log2_qp_max, p->weight ? "eprint 2022/024, secret of weight 192" : "eprint 2024/463, ternary secret");
    printf("modulus     Q of %.1f bits in %u primes", p->log2_q, p->primes);
    if (p->specials) printf(", P in %u; key switching in %u digits", p->specials, p->digits);
    printf("\nslots       %llu\n", (unsigned long long)p->slots);
    if (p->scheme == GB_SCHEME_CKKS)
        printf("depth       %u%s\nscale       2^%.0f; %.1f bits right in the worst slot of a fresh ciphertext\n",
               p->depth, p->refreshes ? " after each bootstrapping" : "", p->scale_bits, p->precision);
    if (p->scheme == GB_SCHEME_BFV)
        printf("depth       %u for integers modulo a prime of %u bits\n", p->depth, p->plain_bits);
    printf("ciphertext  %s in memory\npublic key  %s on the wire\n", size[0], size[1]);
    if (p->specials)
        printf("switch keys %s in memory, %s on the wire: one to multiply, one for each rotation used\n", size[2],
               size[3]);
}

static int run_list(cli *c, int argc, char **argv) {
    int code = cli_parse(c, argc, argv, NULL, NULL, 0, 0);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    gb_status s = GB_OK;
    for (size_t i = 0; s == GB_OK && i < gb_params_count(); i++) {
        gb_params_info p;
        if ((s = gb_params_at(&p, c->ctx, i)) != GB_OK) break;
        if (c->json)
            print_json(&p);
        else
            printf("%-15s %-7s N = %-6u depth %-3u %6llu slots  %6.1f of %4.0f bits  %s\n", p.name,
                   gb_scheme_name(p.scheme), 1u << p.log_n, p.depth, (unsigned long long)p.slots, p.log2_qp,
                   p.log2_qp_max, p.about);
    }
    return cli_finish(c, s);
}

static int run_show(cli *c, int argc, char **argv) {
    const char *name;
    int code = cli_parse(c, argc, argv, NULL, &name, 1, 1);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    gb_params_info p;
    const gb_status s = gb_params_show(&p, c->ctx, name);
    if (s == GB_OK) print_set(c, &p);
    return cli_finish(c, s);
}

static int run_suggest(cli *c, int argc, char **argv) {
    unsigned depth = 0, slots = 0;
    double precision = 0;
    bool exact = false;
    const cli_option options[] = {
        {"depth", 0, CLI_UINT, &depth, "D", "multiplications one after another"},
        {"slots", 0, CLI_UINT, &slots, "S", "numbers in one ciphertext"},
        {"precision", 0, CLI_REAL, &precision, "B", "bits right in the result; --exact: bits of the integers, to 60"},
        {"exact", 0, CLI_FLAG, &exact, "", "exact integers (BFV) in place of real numbers (CKKS)"},
        {0}};
    int code = cli_parse(c, argc, argv, options, NULL, 0, 0);
    if (code >= 0 || (code = cli_open(c, false)) >= 0) return code;
    gb_params_info p;
    const gb_status s = gb_params_suggest(&p, c->ctx, exact ? GB_SCHEME_BFV : GB_SCHEME_CKKS, depth, slots, precision);
    if (s == GB_OK) print_set(c, &p);
    return cli_finish(c, s);
}

const cli_command cmd_params_list = {"params list", "", "list the parameter sets",
                                     "  glovebox params list\n  glovebox params list --json\n", run_list};
const cli_command cmd_params_show = {"params show", "NAME", "a set's security, depth, slots and sizes of keys",
                                     "  glovebox params show leveled-14\n", run_show};
const cli_command cmd_params_suggest = {"params suggest", "[--depth D] [--slots S] [--precision B] [--exact]",
                                        "the smallest set that will do",
                                        "  glovebox params suggest --depth 5 --slots 4096 --precision 20\n"
                                        "  glovebox params suggest --exact --depth 2 --precision 30\n",
                                        run_suggest};
