// The arrays that pair style gapy and Python hand to one another; structs.py declares the same.

#ifndef GAPY_CALLBACKS_H
#define GAPY_CALLBACKS_H

#include <cstdint>

extern "C" {

constexpr int N_INDICATORS = 4, N_DEVIATIONS = 24;
constexpr int MESSAGE_LENGTH = 1024;

// Some centres of a domain with all their neighbours, renumbered: atoms 0..n_centres-1 are the
// centres, the others up to n_atoms are neighbours only.
struct GapyPart {
  int64_t model;         // what `open` returned
  int64_t n_atoms, n_centres, n_pairs;
  int64_t *number;       // (n_atoms,) atomic numbers
  int64_t *first;        // (n_centres + 1,) pairs of centre k are first[k]..first[k + 1] - 1
  int32_t *neighbour;    // (n_pairs,)
  double *vector;        // (n_pairs, 3) r_j - r_i, A
  double *energies;      // (n_centres,) eV, out
  double *forces;        // (n_atoms, 3) eV/A: out of evaluate, into sigma
  double *base_forces;   // (n_atoms, 3) eV/A, the baselines' share of them
  double *indicators;    // (n_atoms, 4): out of evaluate, into sigma
  double *deviations;    // (n_atoms, 24) eV/A of posterior samples' forces: as the forces
  double *sigma;         // (n_centres,) eV/A, out of sigma
  double virial[9];      // dE/d(strain), eV, out
  int32_t wants_indicators, wants_deviations;
};

struct GapyModel {
  int64_t model;
  int32_t has_baselines;
  int32_t posterior_every;    // steps between sigmas from posterior samples, 0: none of them
  int32_t leaves_out;         // whether baselines are left to LAMMPS
  double cutoff;              // A
  double charge_width;        // A, of the charges left to LAMMPS, 0: none
};

// What LAMMPS has beside the style; charges e of the atoms of each type, smallest and largest.
struct GapyAround {
  double g_ewald;          // 1/A, 0: no kspace style
  double accuracy;         // relative, that the kspace style is set to
  double dielectric;
  int32_t computes;        // 0: kspace_modify compute no
  int32_t has_slab;        // kspace_modify slab or wire: not three periodic directions
  int32_t has_d3, has_coulomb;
  int32_t n_without;       // styles gapy that leave baselines out, this one too
  int32_t is_scaled;       // in a hybrid/scaled
  double *charge_low, *charge_high;    // (n_types,)
  double mean_charge;                  // of all atoms
};

// The frame at which a run stops; arrays of the n_owned atoms of this rank.
struct GapyFrame {
  int64_t step, n_owned;
  int64_t *tag, *number;
  double *positions, *velocities, *sigma;    // A, A/ps, eV/A
  double cell[9], origin[3];                 // rows are lattice vectors, A
  int32_t periodic[3];
  int32_t world;                             // Fortran handle of the communicator
  double limit;                              // eV/A
  const char *path;
};

// Each returns 1, or 0 with the error in `message`: 0 is also what an interrupted callback returns.
// With 1, a message of `open` and `stopped` is a line for the log. precision: "single" or "double";
// empty: that of the model.
struct GapyCallbacks {
  int (*open)(const char *path, const char *symbols, const char *without, const char *precision,
              int member, int posterior_every, GapyModel *model, int64_t *numbers, char *message);
  int (*beside)(int64_t model, GapyAround *around, char *message);
  int (*evaluate)(GapyPart *part, char *message);
  int (*sigma)(GapyPart *part, char *message);
  int (*stopped)(GapyFrame *frame, char *message);
  void (*close)(int64_t model);
};

void gapy_connect(const GapyCallbacks *callbacks);
}

extern GapyCallbacks gapy_engine;  // what gapy_connect was given

#endif
