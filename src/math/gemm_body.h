/* The product itself, in tiles of GEMM_ROWS x (2 vectors of LANES numbers) that stay in registers over a block of k. The includer (after one of
 * isa_*.h) defines T, LANES, NAME(x), VFMA(a, b, c) = a b + c on vectors v, and LOW(a, b), HIGH(a, b): a0 b0 a1 b1 ... of the lower and the
 * upper halves; PART(p, n) and PUT_PART(p, v, n), loads and stores of the first n lanes, where the processor has them.
 *
 * For a block of k, B is used where it lies when its rows are whole vectors and few rows of A will read them; otherwise its columns are
 * copied to panels of two vectors (K, 2 LANES), so that the tile needs one shape of loads; a B that is used again and again comes packed already.
 * A is used where it lies when k runs along memory, otherwise it is copied to tiles (K, GEMM_ROWS).
 * Trap: gcc keeps `sum` in registers only when all loops over it have constant bounds, hence the switch.
 */
typedef T NAME(v) __attribute__((vector_size(sizeof(T) * LANES)));
typedef T NAME(vu) __attribute__((vector_size(sizeof(T) * LANES), aligned(sizeof(T)), may_alias));

static inline __attribute__((always_inline)) NAME(v) NAME(part)(const T *p, int64_t n) /* then zeros */
{
#ifdef PART
    return (NAME(v))PART(p, n);
#else
    T b[LANES] = {0};
    memcpy(b, p, (size_t)n * sizeof *p);
    return (NAME(v)) * (const NAME(vu) *)b;
#endif
}

static inline __attribute__((always_inline)) void NAME(put_part)(T *p, NAME(v) x, int64_t n)
{
#ifdef PUT_PART
    PUT_PART(p, x, n);
#else
    for (int64_t i = 0; i < LANES; i++)
        if (i < n)
            p[i] = x[i];
#endif
}

/* What a tile of rows x (vectors * LANES) of C ends with. last: numbers of the last vector that exist. from: what is added, or NULL. */
static inline __attribute__((always_inline)) void NAME(put_tile)(const int rows, const int vectors, int64_t last, T *C, int64_t ldc, const T *from, int64_t ldf,
                                                                 NAME(v) sum[GEMM_ROWS][2])
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) {
            T *c = C + r * ldc + j * LANES;
            const T *f = from ? from + r * ldf + j * LANES : NULL;
            if (j < vectors - 1 || last == LANES) {
                if (f)
                    sum[r][j] += (NAME(v)) * (const NAME(vu) *)f;
                *(NAME(vu) *)c = (NAME(vu))sum[r][j];
            } else {
                if (f)
                    sum[r][j] += NAME(part)(f, last);
                NAME(put_part)(c, sum[r][j], last);
            }
        }
}

/* rows x (vectors * LANES) of C, over k in [0, K). at: where row k of B begins, or NULL: at k * ldb. */
static inline __attribute__((always_inline)) void NAME(tile)(const int rows, const int vectors, int64_t last, T *C, int64_t ldc, const T *from, int64_t ldf,
                                                             const T *A, gg_strides a, const T *B, int64_t ldb, const int64_t *at, int64_t K)
{
    NAME(v) sum[GEMM_ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++)
            sum[r][j] = (NAME(v)){0};
    for (int64_t k = 0; k < K; k++) {
        const T *Bk = B + (at ? at[k] : k * ldb);
        NAME(v) b[2];
        for (int j = 0; j < vectors; j++)
            b[j] = (NAME(v)) * (const NAME(vu) *)(Bk + j * LANES);
        for (int r = 0; r < rows; r++) {
            const NAME(v) x = A[r * a.row + k * a.column] - (NAME(v)){0};
            for (int j = 0; j < vectors; j++)
                sum[r][j] = VFMA(x, b[j], sum[r][j]);
        }
    }
    NAME(put_tile)(rows, vectors, last, C, ldc, from, ldf, sum);
}

/* A tile of sums over the places (y, x) of an image: row r of A is X + at[r], moved by `below` a line; B is a panel (height * width, 2 LANES). */
static inline __attribute__((always_inline)) void NAME(tile_over)(const int rows, const int vectors, int64_t last, T *C, int64_t ldc, const T *X,
                                                                  const int64_t *at, int64_t below, int64_t height, int64_t width, const T *B)
{
    NAME(v) sum[GEMM_ROWS][2];
    const T *a[GEMM_ROWS];
    for (int r = 0; r < rows; r++) {
        a[r] = X + at[r];
        for (int j = 0; j < vectors; j++)
            sum[r][j] = (NAME(v)){0};
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = y * below; x < y * below + width; x++, B += 2 * LANES) {
            NAME(v) b[2];
            for (int j = 0; j < vectors; j++)
                b[j] = (NAME(v)) * (const NAME(vu) *)(B + j * LANES);
            for (int r = 0; r < rows; r++) {
                const NAME(v) ar = a[r][x] - (NAME(v)){0};
                for (int j = 0; j < vectors; j++)
                    sum[r][j] = VFMA(ar, b[j], sum[r][j]);
            }
        }
    NAME(put_tile)(rows, vectors, last, C, ldc, C, ldc, sum);
}

#if GEMM_ROWS > 6
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#elif GEMM_ROWS > 4
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define EACH_HEIGHT(X) X(1) X(2) X(3) X(4)
#endif
/* Tiles of one height rather than a low one at the end, which would wait for its own sums. */
static inline int64_t NAME(height)(int64_t M)
{
    const int64_t tiles = (M + GEMM_ROWS - 1) / GEMM_ROWS;
    return (M + tiles - 1) / tiles;
}

static void NAME(tiles)(int64_t rows, int64_t n, T *C, int64_t ldc, const T *from, int64_t ldf, const T *A, gg_strides a, const T *B, int64_t ldb,
                        const int64_t *at, int64_t K)
{
    const bool two = n > LANES;
    const int64_t last = two ? n - LANES : n;
#define CASE(r)                                                                 \
    case r:                                                                     \
        if (at)                                                                 \
            NAME(tile)(r, 2, LANES, C, ldc, from, ldf, A, a, B, 0, at, K);      \
        else if (two)                                                           \
            NAME(tile)(r, 2, last, C, ldc, from, ldf, A, a, B, ldb, NULL, K);   \
        else                                                                    \
            NAME(tile)(r, 1, last, C, ldc, from, ldf, A, a, B, ldb, NULL, K);   \
        break;
    switch (rows) {
        EACH_HEIGHT(CASE)
    }
#undef CASE
}

static void NAME(tiles_over)(int64_t rows, int64_t n, T *C, int64_t ldc, const T *X, const int64_t *at, int64_t below, int64_t height, int64_t width,
                             const T *B)
{
#define CASE(r)                                                                             \
    case r:                                                                                 \
        if (n > LANES)                                                                      \
            NAME(tile_over)(r, 2, n - LANES, C, ldc, X, at, below, height, width, B);       \
        else                                                                                \
            NAME(tile_over)(r, 1, n, C, ldc, X, at, below, height, width, B);               \
        break;
    switch (rows) {
        EACH_HEIGHT(CASE)
    }
#undef CASE
}
#undef EACH_HEIGHT

/* n columns of B that lie along memory, `stride` apart, rows [0, k), to k rows ldt apart of n numbers, or with `over` of LANES; n, k <= LANES: log2(LANES)
 * rounds of interleaving the first half of the vectors with the second turn rows into columns. */
static inline __attribute__((always_inline)) void NAME(transpose)(T *to, int64_t ldt, const T *B, int64_t stride, int64_t n, int64_t k, const bool over)
{
    NAME(v) x[LANES], y[LANES];
    for (int i = 0; i < LANES; i++)
        x[i] = k == LANES ? (NAME(v)) * (const NAME(vu) *)(B + (i < n ? i : n - 1) * stride) : NAME(part)(B + (i < n ? i : n - 1) * stride, k);
    for (int round = 1; round < LANES; round *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = LOW(x[i], x[i + LANES / 2]);
            y[2 * i + 1] = HIGH(x[i], x[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++)
            x[i] = y[i];
    }
    for (int i = 0; i < LANES && i < k; i++)
        if (over || n == LANES)
            *(NAME(vu) *)(to + i * ldt) = (NAME(vu))x[i];
        else
            NAME(put_part)(to + i * ldt, x[i], n);
}

/* y: (M, N) = x^T, x: (N, M) */
static void NAME(turn)(T *y, int64_t ldy, const T *x, int64_t ldx, int64_t M, int64_t N)
{
    for (int64_t n = 0; n < N; n += LANES)
        for (int64_t m = 0; m < M; m += LANES)
            if (M - m >= LANES && N - n >= LANES)
                NAME(transpose)(y + m * ldy + n, ldy, x + n * ldx + m, ldx, LANES, LANES, false);
            else
                NAME(transpose)(y + m * ldy + n, ldy, x + n * ldx + m, ldx, N - n < LANES ? N - n : LANES, M - m < LANES ? M - m : LANES, false);
}

/* Copies columns [0, n) of B, n <= 2 LANES, to (K, 2 LANES). What stands behind the last column is never stored in C. */
static void NAME(pack_b)(T *to, const T *B, gg_strides b, int64_t n, int64_t K)
{
    if (b.row == 1 && b.column != 1) {
        const int64_t whole = K / LANES * LANES;
        for (int64_t j = 0; j < n; j += LANES) {
            const int64_t here = n - j < LANES ? n - j : LANES;
            for (int64_t k = 0; k < whole; k += LANES)
                if (here == LANES)
                    NAME(transpose)(to + k * 2 * LANES + j, 2 * LANES, B + j * b.column + k, b.column, LANES, LANES, true);
                else
                    NAME(transpose)(to + k * 2 * LANES + j, 2 * LANES, B + j * b.column + k, b.column, here, LANES, true);
            if (whole < K)
                NAME(transpose)(to + whole * 2 * LANES + j, 2 * LANES, B + j * b.column + whole, b.column, here, K - whole, true);
        }
        return;
    }
    if (b.column == 1) {
        const int64_t last = n > LANES ? n - LANES : n;
        for (int64_t k = 0; k < K; k++) {
            T *row = to + k * 2 * LANES;
            const T *from = B + k * b.row;
            if (n > LANES) {
                *(NAME(vu) *)row = *(const NAME(vu) *)from;
                row += LANES;
                from += LANES;
            }
            *(NAME(vu) *)row = last == LANES ? *(const NAME(vu) *)from : (NAME(vu))NAME(part)(from, last);
        }
        return;
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t j = 0; j < n; j++)
            to[k * 2 * LANES + j] = B[k * b.row + j * b.column];
}

/* Copies rows [0, m) of A to tiles (K, GEMM_ROWS). */
static void NAME(pack_a)(T *to, const T *A, gg_strides a, int64_t m, int64_t K)
{
    for (int64_t r0 = 0; r0 < m; r0 += GEMM_ROWS) {
        const int64_t rows = m - r0 < GEMM_ROWS ? m - r0 : GEMM_ROWS;
        for (int64_t k = 0; k < K && a.row == 1 && rows == GEMM_ROWS; k++)
            memcpy(to + r0 * K + k * GEMM_ROWS, A + r0 + k * a.column, GEMM_ROWS * sizeof(T));
        for (int64_t k = 0; k < K && (a.row != 1 || rows != GEMM_ROWS); k++)
            for (int64_t r = 0; r < rows; r++)
                to[r0 * K + k * GEMM_ROWS + r] = A[(r0 + r) * a.row + k * a.column];
    }
}

/* Columns [first, last) of a whole B: panel after panel of a block of k, block after block. */
static void NAME(pack)(T *to, const T *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last)
{
    const int64_t wide = (N + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
    for (int64_t k0 = 0; k0 < K; k0 += GG__GEMM_K) {
        const int64_t nk = K - k0 < GG__GEMM_K ? K - k0 : GG__GEMM_K;
        for (int64_t j = first; j < last; j += 2 * LANES)
            NAME(pack_b)(to + k0 * wide + j * nk, B + k0 * b.row + j * b.column, b, N - j < 2 * LANES ? N - j : 2 * LANES, nk);
    }
}

/* packed: B as NAME(pack) leaves it, else NULL */
static void NAME(gemm)(T *C, int64_t ldc, const T *from, int64_t ldf, const T *A, gg_strides a, const T *B, gg_strides b, const T *packed, int64_t M, int64_t N,
                       int64_t K, void *scratch)
{
    T *packed_b = scratch, *packed_a = packed_b + GG__GEMM_K * GG__GEMM_N;
    const int64_t wide = (N + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
    for (int64_t m = 0; m < M && K == 0; m++)
        for (int64_t n = 0; n < N; n++)
            C[m * ldc + n] = from ? from[m * ldf + n] : 0;
    for (int64_t k0 = 0; k0 < K; k0 += GG__GEMM_K) {
        const int64_t nk = K - k0 < GG__GEMM_K ? K - k0 : GG__GEMM_K;
        for (int64_t n0 = 0; n0 < N; n0 += GG__GEMM_N) {
            const int64_t nn = N - n0 < GG__GEMM_N ? N - n0 : GG__GEMM_N;
            const T *Bk = packed ? NULL : B + k0 * b.row + n0 * b.column;
            const bool copy_all = b.column != 1 || M > 4 * GEMM_ROWS;
            for (int64_t j = 0; j < nn && !packed; j += 2 * LANES) {
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
                    const bool panel = packed || copy_all || n % LANES;
                    const T *Bj = packed ? packed + k0 * wide + (n0 + j) * nk : panel ? packed_b + j * nk : Bk + j;
                    const int64_t ldb = panel ? 2 * LANES : b.row;
                    const int64_t high = copy_a ? GEMM_ROWS : NAME(height)(nm);
                    for (int64_t r = 0; r < nm; r += high) {
                        T *c = C + (m0 + r) * ldc + n0 + j;
                        const T *f = k0 > 0 ? c : from ? from + (m0 + r) * ldf + n0 + j : NULL;
                        NAME(tiles)(nm - r < high ? nm - r : high, n, c, ldc, f, k0 > 0 ? ldc : ldf, copy_a ? packed_a + r * nk : Am + r * a.row,
                                    copy_a ? (gg_strides){1, GEMM_ROWS} : a, Bj, ldb, NULL, nk);
                    }
                }
            }
        }
    }
}

/* C[m, q] = sum over k of A[m, k] X[at[k] + q], q in [0, N), N whole panels */
static void NAME(shifts)(T *C, int64_t ldc, const T *A, gg_strides a, const T *X, const int64_t *at, int64_t M, int64_t N, int64_t K)
{
    const int64_t high = NAME(height)(M);
    for (int64_t k0 = 0; k0 < K; k0 += GG__GEMM_K)
        for (int64_t q = 0; q < N; q += 2 * LANES)
            for (int64_t m = 0; m < M; m += high) {
                T *c = C + m * ldc + q;
                const int64_t rows = M - m < high ? M - m : high, nk = K - k0 < GG__GEMM_K ? K - k0 : GG__GEMM_K;
                NAME(tiles)(rows, 2 * LANES, c, ldc, k0 ? c : NULL, ldc, A + m * a.row + k0 * a.column, a, X + q, 0, at + k0, nk);
            }
}

/* C[m, n] += sum over (y, x) of X[at[m] + y below + x] D[n, (y, x)] */
static void NAME(shifts_over)(T *C, int64_t ldc, const T *X, const int64_t *at, int64_t below, const T *D, int64_t height, int64_t width, int64_t M, int64_t N,
                              T *panel)
{
    const int64_t high = NAME(height)(M), P = height * width;
    for (int64_t n = 0; n < N; n += 2 * LANES) {
        const int64_t here = N - n < 2 * LANES ? N - n : 2 * LANES;
        NAME(pack_b)(panel, D + n * P, (gg_strides){1, P}, here, P);
        for (int64_t m = 0; m < M; m += high)
            NAME(tiles_over)(M - m < high ? M - m : high, here, C + m * ldc + n, ldc, X, at + m, below, height, width, panel);
    }
}

/* Rows of n numbers from lines `ldx` apart to lines `ldy` apart. */
static void NAME(copy_lines)(T *y, int64_t ldy, const T *x, int64_t ldx, int64_t rows, int64_t n)
{
    const int64_t whole = n / LANES * LANES;
    for (int64_t r = 0; r < rows; r++, y += ldy, x += ldx) {
        for (int64_t i = 0; i < whole; i += LANES)
            *(NAME(vu) *)(y + i) = *(const NAME(vu) *)(x + i);
        if (whole < n)
            NAME(put_part)(y + whole, NAME(part)(x + whole, n - whole), n - whole);
    }
}

/* y[n] = B[n, .] . x + bias[n] for up to LANES rows of B: a vector of sums for each, added across by interleaving their halves, which leaves row n in
 * lane n. Rows behind the last are the last again. */
static inline __attribute__((always_inline)) void NAME(dots_of)(T *y, const T *B, int64_t ldb, const T *x, const T *bias, int64_t rows, int64_t K)
{
    const int64_t whole = K / LANES * LANES;
    const T *row[LANES];
    NAME(v) sum[LANES];
    for (int r = 0; r < LANES; r++) {
        row[r] = B + (r < rows ? r : rows - 1) * ldb;
        sum[r] = (NAME(v)){0};
    }
    for (int64_t k = 0; k < whole; k += LANES) {
        const NAME(v) xk = (NAME(v)) * (const NAME(vu) *)(x + k);
        for (int r = 0; r < LANES; r++)
            sum[r] = VFMA((NAME(v)) * (const NAME(vu) *)(row[r] + k), xk, sum[r]);
    }
    if (whole < K) {
        const NAME(v) xk = NAME(part)(x + whole, K - whole);
        for (int r = 0; r < LANES; r++)
            sum[r] = VFMA(NAME(part)(row[r] + whole, K - whole), xk, sum[r]);
    }
#define HALVE(half)                                   \
    for (int r = 0; r < (half) && (half) < LANES; r++) \
        sum[r] = LOW(sum[r], sum[r + (half) % LANES]) + HIGH(sum[r], sum[r + (half) % LANES]);
    HALVE(8) HALVE(4) HALVE(2) HALVE(1) /* written out, so that the sums stay in registers */
#undef HALVE
    if (rows == LANES)
        *(NAME(vu) *)y = (NAME(vu))(bias ? sum[0] + (NAME(v)) * (const NAME(vu) *)bias : sum[0]);
    else
        NAME(put_part)(y, bias ? sum[0] + NAME(part)(bias, rows) : sum[0], rows);
}

static void NAME(dots)(T *y, const T *B, int64_t ldb, const T *x, const T *bias, int64_t N, int64_t K)
{
    int64_t n = 0;
    for (; n + LANES <= N; n += LANES)
        NAME(dots_of)(y + n, B + n * ldb, ldb, x, bias ? bias + n : NULL, LANES, K);
    if (n < N)
        NAME(dots_of)(y + n, B + n * ldb, ldb, x, bias ? bias + n : NULL, N - n, K);
}
#undef T
#undef LANES
#undef VFMA
#undef LOW
#undef HIGH
#undef PART
#undef PUT_PART
#undef NAME
