/*
 * Gathers points of ising into one picture:
 *     curve OUT.svg FILE...
 * draws the magnetisation against the temperature with standard errors, and beside it the exact magnetisation
 * of the infinite lattice,
 *     m(T) = (1 - sinh(2 / T)^-4)^(1/8) below T_c = 2 / ln(1 + sqrt 2), 0 above
 * (L. Onsager 1949; proof: C. N. Yang, Phys. Rev. 85 (1952) 808). Prints how far the two are apart.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 800,
    HEIGHT = 500,
    LEFT = 78,
    RIGHT = 772,
    TOP = 78,
    BOTTOM = 436
}; /* of the picture, of its axes */

static const double AWAY = 0.3; /* this far from T_c a lattice of 64 x 64 is as good as an infinite one */

/* What is known about one temperature: first sums over seeds, after settle() means. */
typedef struct point {
    double t, m, squares, error;
    int seeds;
} point;

typedef struct curve {
    point *points; /* rising in t */
    size_t count;
    int side; /* of the lattice */
} curve;

static double critical(void)
{
    return 2 / log1p(sqrt(2));
}

static double exact(double t)
{
    return t < critical() ? pow(1 - pow(sinh(2 / t), -4), 0.125) : 0;
}

/* The point of this temperature, a new one at its place in the order where there is none. NULL: no memory. */
static point *point_at(curve *c, double t)
{
    size_t i = c->count;
    while (i > 0 && c->points[i - 1].t >= t)
        i--;
    if (i < c->count && c->points[i].t == t)
        return &c->points[i];
    point *more = realloc(c->points, (c->count + 1) * sizeof *more);
    if (!more)
        return NULL;
    c->points = more;
    memmove(more + i + 1, more + i, (c->count++ - i) * sizeof *more);
    more[i] = (point){.t = t};
    return &more[i];
}

static int read_file(curve *c, const char *path)
{
    FILE *file = fopen(path, "r");
    double t, m, error;
    int fields = file ? fscanf(file, "%lf %d %*s %lf %lf", &t, &c->side, &m, &error) : 0;
    if (file)
        fclose(file);
    if (fields != 4) {
        fprintf(stderr, "curve: %s: %s\n", path, file ? "not a line of ising" : strerror(errno));
        return -1;
    }
    point *p = point_at(c, t);
    if (!p) {
        perror("curve");
        return -1;
    }
    p->m += m;
    p->squares += m * m;
    p->error += error;
    p->seeds++;
    return 0;
}

/* Seeds are independent, so their scatter gives the error; a single one has only its own. */
static void settle(curve *c)
{
    for (point *p = c->points; p < c->points + c->count; p++) {
        p->m /= p->seeds;
        double variance = p->squares / p->seeds - p->m * p->m;
        if (p->seeds > 1)
            p->error = variance > 0 ? sqrt(variance / (p->seeds - 1)) : 0;
    }
}

/* The range of temperatures in the picture. */
static double t_from(const curve *c)
{
    return fmin(c->points[0].t, critical()) - 0.1;
}

static double t_to(const curve *c)
{
    return fmax(c->points[c->count - 1].t, critical()) + 0.1;
}

/* The first temperature with a tick: they are half a unit apart. */
static double tick_from(const curve *c)
{
    return ceil(2 * t_from(c)) / 2;
}

static double x_of(const curve *c, double t)
{
    return LEFT + (t - t_from(c)) / (t_to(c) - t_from(c)) * (RIGHT - LEFT);
}

static double y_of(double m)
{
    return BOTTOM - m / 1.05 * (BOTTOM - TOP);
}

static void draw_frame(FILE *svg, const curve *c)
{
    fprintf(
        svg,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' height='%d'\n"
        "     font-family='DejaVu Sans, Helvetica, Arial, sans-serif' font-size='13' fill='#333'>\n"
        "<rect width='%d' height='%d' fill='white'/>\n"
        "<text x='%d' y='34' font-size='18' font-weight='bold'>Magnetisation of the 2D Ising model</text>\n"
        "<text x='%d' y='56' fill='#777'>%d × %d spins, Wolff clusters, %zu temperatures, %d seeds "
        "each</text>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, LEFT, c->side, c->side, c->count,
        c->points[0].seeds);
}

static void draw_axes(FILE *svg, const curve *c)
{
    fprintf(svg, "<g stroke='#e4e4e4'>\n");
    for (int i = 0; i <= 5; i++)
        fprintf(svg, "<path d='M%d %.1fH%d'/>\n", LEFT, y_of(i * 0.2), RIGHT);
    for (double t = tick_from(c); t <= t_to(c); t += 0.5)
        fprintf(svg, "<path d='M%.1f %dV%d'/>\n", x_of(c, t), TOP, BOTTOM);
    fprintf(svg, "</g>\n<path d='M%d %dV%dH%d' fill='none' stroke='#333' stroke-width='1.2'/>\n", LEFT, TOP,
            BOTTOM, RIGHT);
    fprintf(svg, "<g text-anchor='end'>\n");
    for (int i = 0; i <= 5; i++)
        fprintf(svg, "<path d='M%d %.1fh-5' stroke='#333'/><text x='%d' y='%.1f'>%.1f</text>\n", LEFT,
                y_of(i * 0.2), LEFT - 10, y_of(i * 0.2) + 4.5, i * 0.2);
    fprintf(svg, "</g>\n<g text-anchor='middle'>\n");
    for (double t = tick_from(c); t <= t_to(c); t += 0.5)
        fprintf(svg, "<path d='M%.1f %dv5' stroke='#333'/><text x='%.1f' y='%d'>%.1f</text>\n", x_of(c, t),
                BOTTOM, x_of(c, t), BOTTOM + 21, t);
    fprintf(
        svg,
        "<text x='%d' y='%d' font-size='14'>temperature <tspan font-style='italic'>T</tspan> (in units of "
        "<tspan font-style='italic'>J</tspan>/<tspan font-style='italic'>k</tspan>)</text>\n"
        "<text transform='translate(26 %d) rotate(-90)' font-size='14'>magnetisation per spin ⟨|<tspan "
        "font-style='italic'>m</tspan>|⟩</text>\n</g>\n",
        (LEFT + RIGHT) / 2, BOTTOM + 48, (TOP + BOTTOM) / 2);
}

/* The curve is vertical at T_c, so its points lie the closer the nearer they are to it. */
static void draw_exact(FILE *svg, const curve *c)
{
    enum { STEPS = 400 };
    double from = t_from(c), tc = critical();
    fprintf(svg,
            "<path d='M%.1f %dV%d' stroke='#999' stroke-dasharray='4 4'/>\n"
            "<text x='%.1f' y='%d' fill='#777'><tspan font-style='italic'>T</tspan><tspan font-size='10' "
            "dy='3'>c</tspan><tspan dx='4' dy='-3'>= %.3f</tspan></text>\n",
            x_of(c, tc), TOP, BOTTOM, x_of(c, tc) + 7, TOP + 15, tc);
    fprintf(svg, "<path fill='none' stroke='#d1495b' stroke-width='2' stroke-linejoin='round' d='");
    for (int i = 0; i <= STEPS; i++) {
        double left = 1 - (double)i / STEPS, t = tc - (tc - from) * left * left * left;
        fprintf(svg, "%c%.2f %.2f", i ? 'L' : 'M', x_of(c, t), y_of(exact(t)));
    }
    fprintf(svg, "V%.2fH%d'/>\n", y_of(0), RIGHT);
}

static void draw_point(FILE *svg, double x, double y, double error)
{
    if (error > 0)
        fprintf(svg, "<path d='M%.2f %.2fV%.2fm-3.5 0h7m-7 %.2fh7' stroke='#1d3557' fill='none'/>", x,
                y - error, y + error, -2 * error);
    fprintf(svg, "<circle cx='%.2f' cy='%.2f' r='2.7' fill='#3a7ca5' stroke='#1d3557'/>\n", x, y);
}

static void draw_legend(FILE *svg)
{
    int x = RIGHT - 238, y = TOP + 14;
    fprintf(svg,
            "<rect x='%d' y='%d' width='228' height='58' rx='4' fill='white' stroke='#ccc'/>\n"
            "<path d='M%d %dh28' stroke='#d1495b' stroke-width='2'/>\n"
            "<text x='%d' y='%d'>simulation, standard error</text>\n"
            "<text x='%d' y='%d'>Onsager, infinite lattice</text>\n",
            x, y, x + 8, y + 41, x + 44, y + 22, x + 44, y + 46);
    draw_point(svg, x + 22, y + 17, 7);
}

static void draw(FILE *svg, const curve *c)
{
    draw_frame(svg, c);
    draw_axes(svg, c);
    draw_exact(svg, c);
    for (const point *p = c->points; p < c->points + c->count; p++)
        draw_point(svg, x_of(c, p->t), y_of(p->m), p->error / 1.05 * (BOTTOM - TOP));
    draw_legend(svg);
    fprintf(svg, "</svg>\n");
}

/* Says how far the points below T_c are from the exact curve where it holds for a small lattice too. */
static void report(const curve *c, const char *path)
{
    double worst = 0;
    size_t counted = 0;
    for (const point *p = c->points; p < c->points + c->count && p->t < critical() - AWAY; p++, counted++)
        worst = fmax(worst, fabs(p->m - exact(p->t)));
    printf("%s: %zu temperatures, %d seeds each", path, c->count, c->points[0].seeds);
    if (counted)
        printf("; for T < %.2f at most %.5f away from Onsager's solution", critical() - AWAY, worst);
    putchar('\n');
}

static int write_svg(const curve *c, const char *path)
{
    FILE *svg = fopen(path, "w");
    if (!svg) {
        fprintf(stderr, "curve: %s: %s\n", path, strerror(errno));
        return -1;
    }
    draw(svg, c);
    int failed = ferror(svg);
    if (fclose(svg) || failed) {
        fprintf(stderr, "curve: %s: could not be written\n", path);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: curve OUT.svg FILE...\n");
        return 2;
    }
    curve c = {0};
    int failed = 0;
    for (int i = 2; i < argc && !failed; i++)
        failed = read_file(&c, argv[i]);
    if (!failed) {
        settle(&c);
        failed = write_svg(&c, argv[1]);
    }
    if (!failed)
        report(&c, argv[1]);
    free(c.points);
    return failed || fflush(stdout) || ferror(stdout);
}
