// What generated kernels call on a GPU: counter-based random numbers with the integers of the CPU, and products.
// Compiled as C++ (no __CUDACC__) the same text runs on a CPU, where the tests compare it with the compiled kernels.
#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define KERNEL extern "C" __global__ void
#define COLUMN ((long long)blockIdx.x * blockDim.x + threadIdx.x)
#else
#include <cmath>
#include <cstring>
#define DEVICE static inline
#define KERNEL extern "C" void
static thread_local long long stochsim_column;
#define COLUMN stochsim_column
extern "C" void stochsim_set_column(long long column) { stochsim_column = column; }
#endif

typedef unsigned long long word;
typedef unsigned int half_word;

DEVICE word bits_of(double x) { word b; memcpy(&b, &x, 8); return b; }
DEVICE double number_of(word b) { double x; memcpy(&x, &b, 8); return x; }

DEVICE double not_a_number() { return number_of(0x7FF8000000000000ull); }
DEVICE double infinite() { return number_of(0x7FF0000000000000ull); }

// Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011)
DEVICE void philox(half_word c[4], half_word k0, half_word k1) {
  for (int round = 0; round < 10; ++round) {
    word a = (word)0xD2511F53u * c[0], b = (word)0xCD9E8D57u * c[2];
    half_word c1 = c[1], c3 = c[3];
    c[0] = (half_word)(b >> 32) ^ c1 ^ k0;
    c[1] = (half_word)b;
    c[2] = (half_word)(a >> 32) ^ c3 ^ k1;
    c[3] = (half_word)a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

DEVICE half_word reversed(half_word x) {
  x = ((x >> 1) & 0x55555555u) | ((x & 0x55555555u) << 1);
  x = ((x >> 2) & 0x33333333u) | ((x & 0x33333333u) << 2);
  x = ((x >> 4) & 0x0F0F0F0Fu) | ((x & 0x0F0F0F0Fu) << 4);
  x = ((x >> 8) & 0x00FF00FFu) | ((x & 0x00FF00FFu) << 8);
  return (x >> 16) | (x << 16);
}

DEVICE void words(long long k0, long long k1, long long path, long long index, long long component, long long stream,
                  word* first, word* second) {
  half_word c[4] = {(half_word)path, (half_word)index, (half_word)component,
                    (half_word)stream ^ reversed((half_word)((word)path >> 32))};
  philox(c, (half_word)k0, (half_word)k1);
  *first = ((word)c[0] << 32) | c[1];
  *second = ((word)c[2] << 32) | c[3];
}

DEVICE double horner(double x, const double* c, int n) {
  double value = c[0];
  for (int i = 1; i < n; ++i) value = fma(value, x, c[i]);
  return value;
}

DEVICE double minus_2_log(word w) {
  const double c[8] = {-0.2959252244066416, -0.3062804222930135, -0.36367130814690024, -0.44444397107570444,
                       -0.5714285748512425, -0.7999999999882793, -1.3333333333333468, -4.0};
  word bits = bits_of((double)(w | 1)), above = bits - 0x3FE6A09E667F3BCDull;
  double k = number_of((above >> 52) | 0x4330000000000000ull) - (4503599627370496.0 + 64.0);
  double m = number_of(bits - (above & 0xFFF0000000000000ull)), s = (m - 1.0) / (m + 1.0);
  return fma(k, -1.3862943611198906, s * horner(s * s, c, 8));
}

// Box & Muller 1958: the pair of a counter
template <typename real>
DEVICE void normals(long long k0, long long k1, long long path, long long index, long long component, long long stream,
                    real* out0, real* out1) {
  const double sines[7] = {5.633721010760775e-08, -3.598641754437705e-06, 0.0001604411502916483, -0.0046817541322824174,
                           0.07969262624603957, -0.6459640975062443, 1.5707963267948966};
  const double cosines[7] = {4.6546176787999586e-07, -2.520008413798261e-05, 0.0009192599355802159,
                             -0.02086348073305856, 0.25366950789975307, -1.2337005501361489, 0.9999999999999999};
  word radius_word, angle_word;
  words(k0, k1, path, index, component, stream, &radius_word, &angle_word);
  double radius = sqrt(minus_2_log(radius_word));
  double f = number_of((angle_word >> 12) | 0x3FF0000000000001ull) - 1.5, z = f * f;
  double cosine = number_of(bits_of(radius * horner(z, cosines, 7)) ^ (angle_word << 63));
  double sine = radius * f * horner(z, sines, 7);
  bool keep = (angle_word & 2) == 0;
  *out0 = (real)(keep ? cosine : sine);
  *out1 = (real)(keep ? sine : cosine);
}

template <typename real>
DEVICE void uniforms(long long k0, long long k1, long long path, long long index, long long component,
                     long long stream, real* out0, real* out1) {
  word a, b;
  words(k0, k1, path, index, component, stream, &a, &b);
  *out0 = (real)((double)((a >> 11) | 1) * 1.1102230246251565e-16);
  *out1 = (real)((double)((b >> 11) | 1) * 1.1102230246251565e-16);
}

template <typename real>
DEVICE void two_point(long long k0, long long k1, long long path, long long index, long long component,
                      long long stream, real* out0, real* out1) {
  word a, b;
  words(k0, k1, path, index, component, stream, &a, &b);
  *out0 = (a >> 63) ? -1.0 : 1.0;
  *out1 = (b >> 63) ? -1.0 : 1.0;
}

DEVICE double three_points(word a) {
  const double root = 1.7320508075688772;
  const word sixth = 3074457345618258602ull;  // 2^64 / 6
  return a < sixth ? -root : (a >= 0ull - sixth ? root : 0.0);
}

template <typename real>
DEVICE void three_point(long long k0, long long k1, long long path, long long index, long long component,
                        long long stream, real* out0, real* out1) {
  word a, b;
  words(k0, k1, path, index, component, stream, &a, &b);
  *out0 = three_points(a);
  *out1 = three_points(b);
}

// out[i] = sum_j a[i si + j sj] x[j], in the order of j
template <typename real>
DEVICE void matvec(const real* a, int offset, int m, int k, int si, int sj, const real* x, real* out) {
  for (int i = 0; i < m; ++i) {
    real sum = 0;
    for (int j = 0; j < k; ++j) sum = fma(a[offset + i * si + j * sj], x[j], sum);
    out[i] = sum;
  }
}

template <typename real>
DEVICE void distances(const real* c, int centres, const real* v, int weights, int sk, int si, int m, int d,
                      const real* x, real* out) {
  for (int k = 0; k < m; ++k) {
    real sum = 0;
    for (int i = 0; i < d; ++i) {
      real y = x[i] - c[centres + k * d + i];
      sum = fma(si == 0 ? y : v[weights + k * sk + i * si] * y, y, sum);
    }
    out[k] = si == 0 ? v[weights + k * sk] * sum : sum;
  }
}
