/* A table is made of affine points, all digits' at once: from 1 to m times each base come m + 1 to
 * 2 m by additions that share one inversion. Sums are of a table's points to one that need not be
 * divided (Explicit-Formulas Database, short Weierstrass, xyzz: madd-2008-s, dbl-2008-s-1). The
 * case of a point added to itself or to its negative is told and done. */
#include "crypto/multiples.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64

struct affine {
  struct field x, y;
};

static_assert(sizeof(struct affine) == CACHE_LINE, "a digit's point is one access to memory");

/* point[i][k - 1] is k * 256^i * Q. */
struct multiples {
  struct affine point[MULTIPLES_DIGITS][MULTIPLES_EACH];
};

/* ---- sums ---- */

static void set_affine(struct multiples_sum *sum, const struct affine *point)
{
  *sum = (struct multiples_sum){.x = point->x, .y = point->y, .zz = field_one, .zzz = field_one};
}

/* No point of P-256 has y = 0: that would be one of order 2. */
static void double_sum(struct multiples_sum *sum)
{
  struct field u, v, w, s, m, t;
  field_add(&u, &sum->y, &sum->y);
  field_multiply(&v, &u, &u);
  field_multiply(&w, &u, &v);
  field_multiply(&s, &sum->x, &v);
  /* m = 3 x^2 + a zz^2, where a is -3 */
  field_subtract(&m, &sum->x, &sum->zz);
  field_add(&t, &sum->x, &sum->zz);
  field_multiply(&t, &m, &t);
  field_add(&m, &t, &t);
  field_add(&m, &m, &t);
  field_multiply(&sum->x, &m, &m);
  field_subtract(&sum->x, &sum->x, &s);
  field_subtract(&sum->x, &sum->x, &s);
  field_subtract(&s, &s, &sum->x);
  field_multiply(&s, &m, &s);
  field_multiply(&t, &w, &sum->y);
  field_subtract(&sum->y, &s, &t);
  field_multiply(&sum->zz, &v, &sum->zz);
  field_multiply(&sum->zzz, &w, &sum->zzz);
}

/* The points have one x: they are equal, or each the other's negative. */
static void add_like(struct multiples_sum *sum, bool equal)
{
  if (equal)
    double_sum(sum);
  else
    *sum = (struct multiples_sum){.zz = {{0}}};
}

static void add_point(struct multiples_sum *sum, const struct affine *point)
{
  struct field p, r, pp, ppp, q, t;
  if (field_is_zero(&sum->zz)) {
    set_affine(sum, point);
    return;
  }
  field_multiply(&p, &point->x, &sum->zz);
  field_subtract(&p, &p, &sum->x);
  field_multiply(&r, &point->y, &sum->zzz);
  field_subtract(&r, &r, &sum->y);
  if (field_is_zero(&p)) {
    add_like(sum, field_is_zero(&r));
    return;
  }
  field_multiply(&pp, &p, &p);
  field_multiply(&ppp, &p, &pp);
  field_multiply(&q, &sum->x, &pp);
  field_multiply(&t, &sum->y, &ppp);
  field_multiply(&sum->x, &r, &r);
  field_subtract(&sum->x, &sum->x, &ppp);
  field_subtract(&sum->x, &sum->x, &q);
  field_subtract(&sum->x, &sum->x, &q);
  field_subtract(&q, &q, &sum->x);
  field_multiply(&q, &r, &q);
  field_subtract(&sum->y, &q, &t);
  field_multiply(&sum->zz, &sum->zz, &pp);
  field_multiply(&sum->zzz, &sum->zzz, &ppp);
}

/* ---- digits ---- */

/* The lowest first, each of -128 to 128. A scalar of 2^255 or more would carry out of the last one:
 * then they are those of n - scalar, with the other sign. */
static void to_digits(const uint8_t scalar[ORDER_SIZE], int digit[MULTIPLES_DIGITS])
{
  uint8_t left[ORDER_SIZE];
  int sign = order_negate_large(scalar, left) ? -1 : 1, carry = 0;
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++) {
    int value = left[ORDER_SIZE - 1 - i] + carry;
    carry = value > MULTIPLES_EACH;
    digit[i] = sign * (value - 256 * carry);
  }
  assert(carry == 0);
}

void multiples_add(struct multiples_sum *sum, const struct multiples *table,
                   const uint8_t scalar[ORDER_SIZE])
{
  static const struct field zero = {{0}};
  int digit[MULTIPLES_DIGITS];
  to_digits(scalar, digit);
  /* a table is larger than what is near the processor: all that is needed is asked for now */
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++)
    if (digit[i] != 0) __builtin_prefetch(&table->point[i][abs(digit[i]) - 1]);
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++) {
    if (digit[i] == 0) continue;
    struct affine point = table->point[i][abs(digit[i]) - 1];
    if (digit[i] < 0) field_subtract(&point.y, &zero, &point.y);
    add_point(sum, &point);
  }
}

bool multiples_have_x(const struct multiples_sum *sum, const struct field *x)
{
  struct field product;
  field_multiply(&product, x, &sum->zz);
  return !field_is_zero(&sum->zz) && field_is_equal(&product, &sum->x);
}

/* ---- tables ---- */

/* What is inverted at a time: half of a table's points are new in its last turn. */
#define INVERTED_MAX (MULTIPLES_DIGITS * MULTIPLES_EACH / 2)

struct work {
  struct field inverse[INVERTED_MAX], scratch[INVERTED_MAX];
};

/* y^2 = x^3 - 3 x + b */
static bool is_on_curve(const struct affine *point)
{
  static const uint8_t b_bytes[FIELD_SIZE] = {0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7,
                                              0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc,
                                              0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6,
                                              0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b};
  struct field left, right, b;
  if (!field_read(b_bytes, &b)) return false;
  field_multiply(&left, &point->y, &point->y);
  field_multiply(&right, &point->x, &point->x);
  field_multiply(&right, &right, &point->x);
  for (int i = 0; i < 3; i++) field_subtract(&right, &right, &point->x);
  field_add(&right, &right, &b);
  return field_is_equal(&left, &right);
}

/* 256^i times `first`, each as the first of its digit. */
static void make_bases(struct multiples *table, const struct affine *first, struct work *work)
{
  struct multiples_sum base[MULTIPLES_DIGITS];
  set_affine(&base[0], first);
  for (size_t i = 1; i < MULTIPLES_DIGITS; i++) {
    base[i] = base[i - 1];
    for (int doubled = 0; doubled < 8; doubled++) double_sum(&base[i]);
  }
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++) work->inverse[i] = base[i].zzz;
  field_invert_all(work->inverse, MULTIPLES_DIGITS, work->scratch);
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++) {
    struct affine *point = &table->point[i][0];
    struct field inverse; /* of the z whose square is zz */
    field_multiply(&inverse, &work->inverse[i], &base[i].zz);
    field_multiply(&inverse, &inverse, &inverse);
    field_multiply(&point->x, &base[i].x, &inverse);
    field_multiply(&point->y, &base[i].y, &work->inverse[i]);
  }
}

/* What the slope of the line through m times and k times a base is divided by. It is not 0: k is at
   most m, and all multiples up to 128 have an x of their own. */
static void find_divisor(struct field *out, const struct affine *points, size_t m, size_t k)
{
  if (k == m)
    field_add(out, &points[m - 1].y, &points[m - 1].y);
  else
    field_subtract(out, &points[m - 1].x, &points[k - 1].x);
}

/* m + k times a base, of m and k times it. */
static void find_point(struct affine *points, size_t m, size_t k, const struct field *inverse)
{
  const struct affine *a = &points[m - 1], *b = &points[k - 1];
  struct affine *sum = &points[m + k - 1];
  struct field slope, t;
  if (k == m) { /* (3 x^2 - 3) / 2 y */
    field_multiply(&t, &a->x, &a->x);
    field_subtract(&t, &t, &field_one);
    field_add(&slope, &t, &t);
    field_add(&slope, &slope, &t);
  } else {
    field_subtract(&slope, &a->y, &b->y);
  }
  field_multiply(&slope, &slope, inverse);
  field_multiply(&t, &slope, &slope);
  field_subtract(&t, &t, &a->x);
  field_subtract(&sum->x, &t, &b->x);
  field_subtract(&t, &a->x, &sum->x);
  field_multiply(&t, &slope, &t);
  field_subtract(&sum->y, &t, &a->y);
}

/* From m multiples of each base to twice as many. */
static void extend(struct multiples *table, size_t m, struct work *work)
{
  size_t count = 0;
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++)
    for (size_t k = 1; k <= m; k++) find_divisor(&work->inverse[count++], table->point[i], m, k);
  assert(count <= INVERTED_MAX);
  field_invert_all(work->inverse, count, work->scratch);
  count = 0;
  for (size_t i = 0; i < MULTIPLES_DIGITS; i++)
    for (size_t k = 1; k <= m; k++) find_point(table->point[i], m, k, &work->inverse[count++]);
}

static struct multiples *make_of(const struct affine *first)
{
  struct multiples *table = aligned_alloc(CACHE_LINE, sizeof *table);
  struct work *work = malloc(sizeof *work);
  if (table != NULL && work != NULL) {
    make_bases(table, first, work);
    for (size_t m = 1; m < MULTIPLES_EACH; m *= 2) extend(table, m, work);
  } else {
    free(table);
    table = NULL;
  }
  free(work);
  return table;
}

struct multiples *multiples_make(const uint8_t public_key[MULTIPLES_KEY])
{
  enum { uncompressed = 4 };
  struct affine point;
  if (public_key[0] != uncompressed || !field_read(public_key + 1, &point.x) ||
      !field_read(public_key + 1 + FIELD_SIZE, &point.y) || !is_on_curve(&point))
    return NULL;
  return make_of(&point);
}

const struct multiples *multiples_of_generator(void)
{
  static const uint8_t generator[MULTIPLES_KEY] = {
      0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5,
      0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
      0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a,
      0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
      0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5};
  static struct multiples *table;
  if (table == NULL) table = multiples_make(generator);
  return table;
}
