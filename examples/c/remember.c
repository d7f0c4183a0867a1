/*
 * A function of C, remembered on disk: the second run of this program answers without calling it.
 */
#include <deja.h>
#include <math.h>
#include <stdio.h>

/* Where a pendulum is after so many steps of dt: any function of numbers, as it was. */
static double integrate(int64_t steps, double dt)
{
    double angle = 1, speed = 0;
    for (int64_t i = 0; i < steps; i++) {
        speed -= sin(angle) * dt;
        angle += speed * dt;
    }
    return angle;
}

DEJA_FUNC2(double, simulate, int64_t, steps, double, dt)
{
    fprintf(stderr, "simulating %lld steps\n", (long long)steps);
    return integrate(steps, dt);
}

int main(void)
{
    deja_error err;
    deja *d = deja_open(NULL, &err); /* NULL: all defaults */
    deja_fn *f = deja_define(d, "simulate", "1", simulate, NULL, &err);
    double y;
    if (deja_call_f64(f, DEJA_ARGS(10000000, 1e-6), &y, &err) < 0)
        return fprintf(stderr, "%s\n", err.text), 1;
    printf("%.6f\n", y); /* the second run prints at once */
    deja_close(d);
    return 0;
}
