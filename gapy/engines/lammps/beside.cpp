// What LAMMPS has beside a pair style gapy that leaves baselines to it.

#include "pair_gapy.h"

#include "atom.h"
#include "force.h"
#include "kspace.h"
#include "utils.h"

#include <algorithm>

using namespace LAMMPS_NS;

// LAMMPS must add what the model leaves to it; force->init() has made kspace ready before.
void PairGapy::require_beside()
{
  const int n_types = atom->ntypes;
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> low(n_types, infinity), minus_high(n_types, infinity);
  double charge = 0.0;
  for (int i = 0; i < atom->nlocal && atom->q_flag; ++i) {
    const int type = atom->type[i] - 1;
    low[type] = std::min(low[type], atom->q[i]);
    minus_high[type] = std::min(minus_high[type], -atom->q[i]);
    charge += atom->q[i];
  }
  MPI_Allreduce(MPI_IN_PLACE, low.data(), n_types, MPI_DOUBLE, MPI_MIN, world);
  MPI_Allreduce(MPI_IN_PLACE, minus_high.data(), n_types, MPI_DOUBLE, MPI_MIN, world);
  MPI_Allreduce(MPI_IN_PLACE, &charge, 1, MPI_DOUBLE, MPI_SUM, world);
  for (double &high : minus_high) high = -high;
  GapyAround around = {};
  if (const KSpace *sum = force->kspace) {
    around.g_ewald = sum->g_ewald;
    around.accuracy = sum->accuracy / sum->two_charge_force;
    around.computes = sum->compute_flag;
    around.has_slab = sum->slabflag || sum->wireflag;
  }
  around.dielectric = force->dielectric;
  around.has_d3 = force->pair_match("dispersion/d3", 1) != nullptr;
  around.has_coulomb = force->pair_match("coul", 0, 1) != nullptr;
  around.n_without = styles_without();
  around.is_scaled = utils::strmatch(force->pair_style, "^hybrid/scaled");
  around.charge_low = low.data(), around.charge_high = minus_high.data();
  around.mean_charge = charge / std::max<double>(1.0, atom->natoms);
  message[0] = 0;
  agree(!gapy_engine.beside(opened.model, &around, message));
}

// Styles gapy of a hybrid, or this one, that leave baselines to LAMMPS.
int PairGapy::styles_without() const
{
  int found = 0;
  const Pair *last = nullptr;
  // A style alone, and the only one of its name in a hybrid, is found whatever its number.
  for (int k = 1;; ++k) {
    const Pair *pair = force->pair_match("gapy", 1, k);
    if (!pair || pair == last) return found;
    const auto *one = dynamic_cast<const PairGapy *>(pair);
    found += one && one->opened.leaves_out;
    last = pair;
  }
}
