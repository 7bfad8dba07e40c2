/* The product itself, in tiles of GEMM_ROWS x (2 vectors of LANES numbers) that stay in registers over a block of k. The includer (after one of
 * isa_*.h) defines T, LANES, NAME(x), VFMA(a, b, c) = a b + c on vectors v, and LOW(a, b), HIGH(a, b): a0 b0 a1 b1 ... of the lower and the
 * upper halves.
 *
 * For a block of k, B is used where it lies when its rows are whole vectors and few rows of A will read them; otherwise its columns are
 * copied to panels of two vectors (K, 2 LANES), so that the tile needs one shape of loads. A is used where it lies when k runs along memory,
 * otherwise it is copied to tiles (K, GEMM_ROWS).
 * Trap: gcc keeps `sum` in registers only when all loops over it have constant bounds, hence the switch.
 */
typedef T NAME(v) __attribute__((vector_size(sizeof(T) * LANES)));
typedef T NAME(vu) __attribute__((vector_size(sizeof(T) * LANES), aligned(sizeof(T)), may_alias));

/* rows x (vectors * LANES) of C, over k in [0, K). last: numbers of the last vector that exist. */
static inline __attribute__((always_inline)) void NAME(tile)(const int rows, const int vectors, int64_t last, T *C, int64_t ldc, const T *A, gg_strides a,
                                                             const T *B, int64_t ldb, int64_t K, bool add)
{
    NAME(v) sum[GEMM_ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++)
            sum[r][j] = (NAME(v)){0};
    for (int64_t k = 0; k < K; k++) {
        NAME(v) b[2];
        for (int j = 0; j < vectors; j++)
            b[j] = (NAME(v)) * (const NAME(vu) *)(B + k * ldb + j * LANES);
        for (int r = 0; r < rows; r++) {
            const NAME(v) x = A[r * a.row + k * a.column] - (NAME(v)){0};
            for (int j = 0; j < vectors; j++)
                sum[r][j] = VFMA(x, b[j], sum[r][j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) {
            T *c = C + r * ldc + j * LANES;
            if (j < vectors - 1 || last == LANES) {
                if (add)
                    sum[r][j] += (NAME(v)) * (const NAME(vu) *)c;
                *(NAME(vu) *)c = (NAME(vu))sum[r][j];
                continue;
            }
            T part[LANES];
            *(NAME(vu) *)part = (NAME(vu))sum[r][j];
            for (int64_t i = 0; i < last; i++)
                c[i] = add ? c[i] + part[i] : part[i];
        }
}

static void NAME(tiles)(int64_t rows, int64_t n, T *C, int64_t ldc, const T *A, gg_strides a, const T *B, int64_t ldb, int64_t K, bool add)
{
    const bool two = n > LANES;
    const int64_t last = two ? n - LANES : n;
#define CASE(r)                                                             \
    case r:                                                                 \
        if (two)                                                            \
            NAME(tile)(r, 2, last, C, ldc, A, a, B, ldb, K, add);           \
        else                                                                \
            NAME(tile)(r, 1, last, C, ldc, A, a, B, ldb, K, add);           \
        break;
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4)
#if GEMM_ROWS > 4
        CASE(5) CASE(6)
#endif
#if GEMM_ROWS > 6
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#endif
    }
#undef CASE
}

/* LANES columns of B that lie along memory, `stride` apart, to (LANES, 2 LANES) of a panel: log2(LANES) rounds of interleaving the first half of
 * the vectors with the second turn rows into columns. */
static inline __attribute__((always_inline)) void NAME(transpose)(T *to, const T *B, int64_t stride)
{
    NAME(v) x[LANES], y[LANES];
    for (int i = 0; i < LANES; i++)
        x[i] = (NAME(v)) * (const NAME(vu) *)(B + i * stride);
    for (int round = 1; round < LANES; round *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = LOW(x[i], x[i + LANES / 2]);
            y[2 * i + 1] = HIGH(x[i], x[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++)
            x[i] = y[i];
    }
    for (int i = 0; i < LANES; i++)
        *(NAME(vu) *)(to + i * 2 * LANES) = (NAME(vu))x[i];
}

/* Copies columns [0, n) of B, n <= 2 LANES, to (K, 2 LANES). What stands behind the last column is never stored in C. */
static void NAME(pack_b)(T *to, const T *B, gg_strides b, int64_t n, int64_t K)
{
    if (b.row == 1 && b.column != 1) {
        const int64_t whole = K / LANES * LANES;
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES)
            for (int64_t k = 0; k < whole; k += LANES)
                NAME(transpose)(to + k * 2 * LANES + j, B + j * b.column + k, b.column);
        for (int64_t c = 0; c < n; c++)
            for (int64_t k = c < j ? whole : 0; k < K; k++)
                to[k * 2 * LANES + c] = B[c * b.column + k];
        return;
    }
    int64_t k = 0;
    if (b.column == 1)                                                     /* rows, for as long as whole vectors lie inside B */
        for (; k < K && (K - 1 - k) * b.row + n >= 2 * LANES; k++) {
            *(NAME(vu) *)(to + k * 2 * LANES) = *(const NAME(vu) *)(B + k * b.row);
            *(NAME(vu) *)(to + k * 2 * LANES + LANES) = *(const NAME(vu) *)(B + k * b.row + LANES);
        }
    for (; k < K; k++)
        for (int64_t j = 0; j < n; j++)
            to[k * 2 * LANES + j] = B[k * b.row + j * b.column];
}

/* Copies rows [0, m) of A to tiles (K, GEMM_ROWS). */
static void NAME(pack_a)(T *to, const T *A, gg_strides a, int64_t m, int64_t K)
{
    for (int64_t r0 = 0; r0 < m; r0 += GEMM_ROWS) {
        const int64_t rows = m - r0 < GEMM_ROWS ? m - r0 : GEMM_ROWS;
        for (int64_t k = 0; k < K; k++)
            for (int64_t r = 0; r < rows; r++)
                to[r0 * K + k * GEMM_ROWS + r] = A[(r0 + r) * a.row + k * a.column];
    }
}

static void NAME(gemm)(T *C, int64_t ldc, const T *A, gg_strides a, const T *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add, void *scratch)
{
    T *packed_b = scratch, *packed_a = packed_b + GG__GEMM_K * GG__GEMM_N;
    if (K == 0 && !add)
        for (int64_t m = 0; m < M; m++)
            for (int64_t n = 0; n < N; n++)
                C[m * ldc + n] = 0;
    for (int64_t k0 = 0; k0 < K; k0 += GG__GEMM_K) {
        const int64_t nk = K - k0 < GG__GEMM_K ? K - k0 : GG__GEMM_K;
        for (int64_t n0 = 0; n0 < N; n0 += GG__GEMM_N) {
            const int64_t nn = N - n0 < GG__GEMM_N ? N - n0 : GG__GEMM_N;
            const T *Bk = B + k0 * b.row + n0 * b.column;
            const bool copy_all = b.column != 1 || M > 4 * GEMM_ROWS;
            for (int64_t j = 0; j < nn; j += 2 * LANES) {
                const int64_t n = nn - j < 2 * LANES ? nn - j : 2 * LANES;
                if (copy_all || n % LANES)
                    NAME(pack_b)(packed_b + j * nk, Bk + j * b.column, b, n, nk);
            }
            for (int64_t m0 = 0; m0 < M; m0 += GG__GEMM_M) {
                const int64_t nm = M - m0 < GG__GEMM_M ? M - m0 : GG__GEMM_M;
                const T *Am = A + m0 * a.row + k0 * a.column;
                const bool copy_a = a.column != 1 && nn > 2 * LANES && nk > 64;
                if (copy_a)
                    NAME(pack_a)(packed_a, Am, a, nm, nk);
                for (int64_t j = 0; j < nn; j += 2 * LANES) {
                    const int64_t n = nn - j < 2 * LANES ? nn - j : 2 * LANES;
                    const bool packed = copy_all || n % LANES;
                    const T *Bj = packed ? packed_b + j * nk : Bk + j;
                    const int64_t ldb = packed ? 2 * LANES : b.row;
                    /* tiles of one height rather than a low one at the end, which would wait for its own sums */
                    const int64_t high = copy_a ? GEMM_ROWS : (nm + (nm + GEMM_ROWS - 1) / GEMM_ROWS - 1) / ((nm + GEMM_ROWS - 1) / GEMM_ROWS);
                    for (int64_t r = 0; r < nm; r += high)
                        NAME(tiles)(nm - r < high ? nm - r : high, n, C + (m0 + r) * ldc + n0 + j, ldc, copy_a ? packed_a + r * nk : Am + r * a.row,
                                    copy_a ? (gg_strides){1, GEMM_ROWS} : a, Bj, ldb, nk, add || k0 > 0);
                }
            }
        }
    }
}
#undef T
#undef LANES
#undef VFMA
#undef LOW
#undef HIGH
#undef NAME
